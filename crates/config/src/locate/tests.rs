use super::*;
use std::fs;

#[test]
fn the_order_in_which_the_file_is_looked_for() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let (cwd, exe, last) = (at("cwd"), at("exe"), at("last.json"));
    fs::create_dir(&cwd).unwrap();
    fs::create_dir(&exe).unwrap();
    let find = |explicit: Option<&str>, env: Option<&str>| {
        let found = locate_or(explicit.map(Path::new), env.map(OsStr::new), &cwd, &exe, &last);
        match found {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        }
        .replace(&format!("{}/", root.path().display()), "")
    };

    assert_eq!(
        find(None, None),
        "no configuration found; tried -c (not given), XENON_CONFIG (not set), cwd/config.path (no such file), \
         exe/config.path (no such file), last.json (no such file); name the file with -c FILE or XENON_CONFIG"
    );
    fs::write(&last, "{}").unwrap();
    assert_eq!(find(None, None), "last.json");
    assert_eq!(find(None, Some("")), "last.json");
    fs::write(exe.join(POINTER), "\n /data/xenon.json \nmore\n").unwrap();
    assert_eq!(find(None, None), "/data/xenon.json");
    fs::write(cwd.join(POINTER), " \n").unwrap();
    assert_eq!(find(None, None), "/data/xenon.json");
    fs::write(cwd.join(POINTER), "near.json").unwrap();
    assert_eq!(find(None, None), "cwd/near.json");
    assert_eq!(find(None, Some("env.json")), "env.json");
    assert_eq!(find(Some("given.json"), Some("env.json")), "given.json");
}

#[test]
fn a_relative_name_beside_the_binary() {
    let root = tempfile::tempdir().unwrap();
    let (cwd, exe) = (root.path().join("cwd"), root.path().join("exe"));
    fs::create_dir(&cwd).unwrap();
    fs::create_dir(&exe).unwrap();
    fs::write(exe.join(POINTER), "x.json").unwrap();
    let find = || locate_or(None, None, &cwd, &exe, Path::new("/no"));
    assert_eq!(find().as_deref(), Ok(cwd.join("x.json").as_path()));
    fs::write(exe.join("x.json"), "{}").unwrap();
    assert_eq!(find().as_deref(), Ok(exe.join("x.json").as_path()));
    fs::write(cwd.join("x.json"), "{}").unwrap();
    assert_eq!(find().as_deref(), Ok(cwd.join("x.json").as_path()));
}

#[test]
fn pointers_that_point_nowhere() {
    let root = tempfile::tempdir().unwrap();
    let pointer = root.path().join(POINTER);
    let told = || match locate_or(None, None, root.path(), root.path(), Path::new("/no")) {
        Ok(path) => path.display().to_string(),
        Err(error) => error.tried[2].1.clone(),
    };
    fs::create_dir(&pointer).unwrap();
    assert_eq!(told(), "no regular file");
    fs::remove_dir(&pointer).unwrap();
    fs::write(&pointer, b"\xff\n").unwrap();
    assert_eq!(told(), "not UTF-8");
    fs::write(&pointer, b"").unwrap();
    assert_eq!(told(), "empty");
}
