use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;

/// A data folder with binary logs outside, and a copy.
struct Place {
    folder: tempfile::TempDir,
    is_mount: bool,
}

impl Place {
    fn made(is_mount: bool, with_data: bool) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("folder"), is_mount };
        for (name, text) in
            [("logs/binlog.000001", "old"), ("logs/binlog.index", "old"), ("logs/other", "other")]
        {
            place.write(&place.root().join(name), text);
        }
        if with_data {
            place.write(&place.data().join("ibdata1"), "old");
            place.write(&place.data().join("d/t.ibd"), "old");
            place.write(&place.data().join("only-old"), "old");
        }
        for name in ["ibdata1", "d/t.ibd", "only-new"] {
            place.write(&place.made_copy().join(name), "new");
        }
        if is_mount {
            place.write(&place.data().join("lost+found/x"), "kept");
        }
        place
    }

    fn root(&self) -> PathBuf {
        std::fs::canonicalize(self.folder.path()).expect("canonical")
    }

    fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    fn made_copy(&self) -> PathBuf {
        if self.is_mount {
            self.data().join(".xenon-copy/data")
        } else {
            self.root().join(".xenon-copy/data")
        }
    }

    fn write(&self, path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("parent")).expect("create");
        std::fs::write(path, text).expect("write");
    }

    fn swap(&self) -> Swap {
        let logs = vec![LogsOutside { folder: self.root().join("logs"), base: "binlog".to_owned() }];
        let layout = Layout { data: self.data(), is_mount: self.is_mount, logs };
        Swap::plan(layout, &self.made_copy(), "2026").expect("plan")
    }

    /// All files, relative, with their text.
    fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let root = self.root();
        super::super::facts::walk(&root, &mut |path, meta| {
            if meta.is_file() {
                let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                files.insert(name, std::fs::read_to_string(path).expect("read"));
            }
            Ok(())
        })
        .expect("walk");
        files
    }
}

fn data_is(place: &Place, text: &str) {
    for name in ["ibdata1", "d/t.ibd", &format!("only-{text}")] {
        let found = std::fs::read_to_string(place.data().join(name)).unwrap_or_default();
        assert_eq!(found, text, "{name} in {:?}", place.files());
    }
    let other = if text == "old" { "only-new" } else { "only-old" };
    assert!(!place.data().join(other).exists());
}

#[test]
fn there_and_back_each_twice() {
    for (is_mount, with_data) in [(false, true), (false, false), (true, true), (true, false)] {
        let place = Place::made(is_mount, with_data);
        let before = place.files();
        let swap = place.swap();
        assert_eq!(
            (place.files(), swap.state()),
            (before.clone(), SwapState::Before),
            "a plan changes nothing"
        );
        assert!(swap.remove_old().is_err(), "not before it is done");
        for _ in 0..2 {
            for _ in 0..2 {
                swap.forward().expect("forward");
                assert_eq!(swap.state(), SwapState::After);
                data_is(&place, "new");
                assert!(
                    !place.root().join("logs/binlog.index").exists()
                        && place.root().join("logs/other").exists()
                );
            }
            // The new data writes logs of its own, which another `forward` leaves alone.
            place.write(&place.root().join("logs/binlog.000007"), "new");
            swap.forward().expect("forward");
            assert!(place.root().join("logs/binlog.000007").exists());
            for _ in 0..2 {
                swap.undo().expect("undo");
                assert_eq!(place.files(), before, "mount {is_mount}, data {with_data}");
                assert_eq!(swap.state(), SwapState::Before);
            }
        }
        swap.forward().expect("forward");
        for _ in 0..2 {
            swap.remove_old().expect("removed");
        }
        assert_eq!(swap.undo().is_err(), with_data || is_mount, "what is removed does not come back");
        swap.forward().expect("forward");
        data_is(&place, "new");
        assert!(!swap.old().exists());
        assert!(!place.files().values().any(|text| text == "old"), "{:?}", place.files());
    }
}

/// A crash after any number of renamings: both ways go on from there.
#[test]
fn from_every_half_way_point_both_ways() {
    for is_mount in [false, true] {
        for steps in 0..12 {
            for back in [false, true] {
                let place = Place::made(is_mount, true);
                let before = place.files();
                let swap = place.swap();
                run_steps(&place, &swap, steps);
                if back {
                    swap.undo().expect("undo");
                    assert_eq!(place.files(), before, "mount {is_mount}, {steps} steps");
                } else {
                    swap.forward().expect("forward");
                    data_is(&place, "new");
                    assert_eq!(swap.state(), SwapState::After);
                }
            }
        }
    }
}

/// The first renamings of [`Swap::forward`], one by one.
fn run_steps(place: &Place, swap: &Swap, steps: usize) {
    let mut moves: Vec<(PathBuf, PathBuf)> = Vec::new();
    let aside = place.root().join("logs/.xenon-old-2026-binlog");
    for name in ["binlog.000001", "binlog.index"] {
        moves.push((place.root().join("logs").join(name), aside.join(name)));
    }
    if steps > 0 {
        std::fs::create_dir_all(&aside).expect("create");
    }
    moves.push((PathBuf::new(), aside.join(ALL_ASIDE)));
    if place.is_mount {
        for name in ["d", "ibdata1", "only-old"] {
            moves.push((place.data().join(name), swap.old().join(name)));
        }
        moves.push((PathBuf::new(), swap.old().join(ALL_ASIDE)));
        for name in ["d", "ibdata1", "only-new"] {
            moves.push((place.made_copy().join(name), place.data().join(name)));
        }
    } else {
        moves.push((place.data(), swap.old().to_owned()));
        moves.push((place.made_copy(), place.data()));
    }
    for (from, to) in moves.iter().take(steps) {
        if from.as_os_str().is_empty() {
            std::fs::write(to, "").expect("mark");
            continue;
        }
        std::fs::create_dir_all(to.parent().expect("parent")).expect("create");
        std::fs::rename(from, to).expect("rename");
    }
}

#[test]
fn what_is_in_the_way_is_told() {
    let place = Place::made(false, true);
    let layout = Layout { data: place.data(), is_mount: false, logs: vec![] };
    let plan =
        |new: &Path, stamp: &str| Swap::plan(layout.clone(), new, stamp).map_err(|error| error.to_string());
    assert!(plan(&place.root().join("nothing"), "1").expect_err("missing").contains("nothing"));
    assert!(plan(&place.made_copy(), "a/b").expect_err("stamp").contains("file name"));
    assert!(plan(Path::new("/proc"), "1").expect_err("device").contains("file systems"));
    std::fs::create_dir(place.root().join("data.xenon-old-1")).expect("create");
    assert!(plan(&place.made_copy(), "1").expect_err("taken").contains("already"));

    // Somebody's mysqld, or an operator, makes a data folder in the middle.
    let swap = plan(&place.made_copy(), "2").expect("plan");
    std::fs::rename(place.data(), swap.old()).expect("half-way");
    assert_eq!(swap.state(), SwapState::Between);
    std::fs::create_dir(place.data()).expect("create");
    assert!(swap.forward().expect_err("in the way").to_string().contains("move it away"));
    assert!(swap.undo().expect_err("in the way").to_string().contains("move it away"));
    std::fs::remove_dir(place.data()).expect("remove");
    swap.undo().expect("undo");
    data_is(&place, "old");

    let place = Place::made(true, true);
    let layout = Layout { data: place.data(), is_mount: true, logs: vec![] };
    let error = Swap::plan(layout, &place.root().join("logs"), "1").expect_err("outside").to_string();
    assert!(error.contains("mount point"), "{error}");
}

/// Binary and relay logs in one folder, as most have them.
#[test]
fn two_logs_in_one_folder() {
    let place = Place::made(false, true);
    let logs = place.root().join("logs");
    for name in ["relay.000001", "relay.index"] {
        place.write(&logs.join(name), "old");
    }
    let before = place.files();
    let log = |base: &str| LogsOutside { folder: logs.clone(), base: base.to_owned() };
    let layout = Layout { data: place.data(), is_mount: false, logs: vec![log("binlog"), log("relay")] };
    let swap = Swap::plan(layout, &place.new(), "2026").expect("plan");
    swap.forward().expect("forward");
    for name in ["binlog.000001", "binlog.index", "relay.000001", "relay.index"] {
        assert!(!logs.join(name).exists(), "{name} is the old data's: {:?}", place.files());
    }
    // The new data's server writes both.
    place.write(&logs.join("binlog.000001"), "new");
    place.write(&logs.join("relay.000001"), "new");
    swap.undo().expect("undo");
    assert_eq!(place.files(), before);
    swap.forward().expect("forward");
    swap.remove_old().expect("removed");
    assert!(!place.files().values().any(|text| text == "old"), "{:?}", place.files());
}

/// Old data is in its place only with its binlog, wherever a crash or an error ends this.
#[test]
fn no_server_starts_on_old_data_without_its_logs() {
    for is_mount in [false, true] {
        for steps in 1..12 {
            let place = Place::made(is_mount, true);
            let swap = place.swap();
            run_steps(&place, &swap, steps);
            assert_ne!(swap.state(), SwapState::Before, "mount {is_mount}, {steps} steps");
        }
        let place = Place::made(is_mount, true);
        let swap = place.swap();
        swap.forward().expect("forward");
        // What comes first of the way back.
        swap.layout.logs.iter().try_for_each(|log| swap.log_comes_back(log)).expect("logs are back");
        assert_ne!(swap.state(), SwapState::Before);
        swap.undo().expect("undo");
        assert_eq!(swap.state(), SwapState::Before);
        data_is(&place, "old");
    }
}
