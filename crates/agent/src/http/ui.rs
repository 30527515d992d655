//! The dashboard's files, which are part of this program: no file of the host is ever served.

use super::answer::Problem;
use super::bodies::Word;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// Name below `/ui/`, kind, and bytes.
type Asset = (&'static str, &'static str, &'static [u8]);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($( $kind:ident $name:literal )*) => {
        const ASSETS: &[Asset] = &[ $( ($name, $kind, include_bytes!(concat!("../../ui/", $name))), )* ];
    };
}

assets! {
    HTML "index.html"
    CSS "style.css"
    SVG "favicon.svg"
    JS "theme.js"
    JS "app.js"
    JS "actions.js"
    JS "api.js"
    JS "dom.js"
    JS "events.js"
    JS "format.js"
    JS "gtid.js"
    JS "head.js"
    JS "live.js"
    JS "login.js"
    JS "model.js"
    JS "nodes.js"
    JS "outcome.js"
    JS "rebuild.js"
    JS "reports.js"
    JS "sheet.js"
    JS "topology.js"
}

pub(super) async fn index() -> Response {
    file(Word("index.html".to_owned())).await
}

pub(super) async fn file(Word(path): Word) -> Response {
    match ASSETS.iter().find(|(name, ..)| *name == path) {
        Some((_, kind, bytes)) => asset(kind, bytes),
        None => Problem::not_found("the dashboard has no such file", "open / in a browser").into_response(),
    }
}

fn asset(kind: &'static str, bytes: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        // Another agent may have another version of it a moment later.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn text(name: &str) -> &'static str {
        let (.., bytes) = ASSETS.iter().find(|(one, ..)| *one == name).unwrap_or_else(|| panic!("no {name}"));
        std::str::from_utf8(bytes).expect("text")
    }

    #[test]
    fn every_file_is_part_of_the_program() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
        let there = std::fs::read_dir(folder).expect("its folder");
        let there: BTreeSet<_> =
            there.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
        let listed: BTreeSet<_> = ASSETS.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(there, listed);
    }

    #[test]
    fn what_a_file_names_is_there_too() {
        for (name, kind, _) in ASSETS.iter().filter(|(_, kind, _)| [HTML, JS].contains(kind)) {
            let (before, after) = if *kind == HTML { ("=\"/ui/", '"') } else { (" from './", '\'') };
            for part in text(name).split(before).skip(1) {
                text(part.split(after).next().expect("a name"));
            }
        }
    }

    /// The browser would refuse it (Content-Security-Policy), and it would be a door for what servers say.
    #[test]
    fn nothing_comes_from_outside_or_is_run_from_text() {
        for (name, kind, _) in ASSETS {
            let of_svg = "http://www.w3.org/2000/svg";
            let text = text(name).replace(of_svg, "");
            for word in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
            {
                assert!(!text.contains(word), "{name} has {word}");
            }
            if [HTML, CSS, SVG].contains(kind) {
                for word in [
                    "http:",
                    "https:",
                    "//",
                    "@import",
                    "url(",
                    "<style",
                    " style=",
                    " onclick",
                    "javascript:",
                ] {
                    assert!(!text.contains(word), "{name} has {word}");
                }
            }
        }
    }
}
