//! `wxgate account …` through the real binary: what an operator does to users, and accounts imported by the thousand.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::on_each_database;
use crate::world::process::{Ended, Process, run, run_fed};
use crate::world::{APP, HASHES, Kind, World};

/// What [`HASHES`] are hashes of.
const PASSWORD: &str = crate::world::HASHED;
const BCRYPT: &str = HASHES[3];

/// Runs `wxgate account …`, and sees to it that no hash and no password is in what it says.
#[track_caller]
fn account(folder: &Path, arguments: &[&str], input: &str) -> Ended {
    let ended = run_fed(folder, &[&["account"], arguments].concat(), input);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    let secrets = HASHES.iter().copied().chain([PASSWORD, input.trim()]).filter(|text| !text.is_empty());
    for secret in secrets {
        assert!(!said.contains(secret), "{said}");
    }
    ended
}

fn lines(report: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(report).unwrap();
    let number =
        |line: &str| line.strip_prefix("line ").unwrap().split_once(": ").unwrap().0.parse().unwrap();
    text.lines().map(number).collect()
}

const RECORDS: usize = 100_000;

/// A thousandth of the records is broken, in ten ways. Some good ones span lines, to keep the counting honest.
fn big_file() -> (Vec<u8>, Vec<u64>) {
    let mut file = b"username,password_hash,nickname,level,disabled\n".to_vec();
    let (mut line, mut broken) = (2, Vec::new());
    for number in 0..RECORDS {
        let (kind, name) = (number % HASHES.len(), format!("user{number:06}"));
        // Most of them have commas.
        let hash = format!("\"{}\"", HASHES[kind]);
        let mut row = format!("{kind}{name},{hash},,{},\n", number % 3).into_bytes();
        if number % 1000 == 500 {
            row = format!("\"\n{kind}{name}\",{hash},\"a \"\"quoted\"\" name, 小明\",,false\n").into_bytes();
        }
        if number % 1000 == 777 {
            broken.push(line);
            row = match number / 1000 % 10 {
                0 => format!(",{hash},,,\n").into_bytes(),
                1 => format!("not a name,{hash},,,\n").into_bytes(),
                2 => format!("{name},,,,\n").into_bytes(),
                3 => format!("{name},plain-text,,,\n").into_bytes(),
                4 => format!("{name},{hash},\"two\nlines\",,\n").into_bytes(),
                5 => format!("{name},{hash},,3,\n").into_bytes(),
                6 => format!("{name},{hash},,,maybe\n").into_bytes(),
                7 => format!("{name},{hash}\n").into_bytes(),
                // Taken by the record right before, and by one long before.
                8 => format!("{}USER{:06},{hash},,,\n", (number - 1) % HASHES.len(), number - 1).into_bytes(),
                _ => format!("{}user{:06},{hash},,,\n", (number - 7001) % HASHES.len(), number - 7001)
                    .into_bytes(),
            };
            if number / 1000 % 20 == 13 {
                row = [name.as_bytes(), b"\xff,", hash.as_bytes(), b",,,\n"].concat();
            }
        }
        line += row.iter().filter(|byte| **byte == b'\n').count() as u64;
        file.extend(row);
    }
    (file, broken)
}

on_each_database! {
    async fn an_import_that_is_killed_goes_on_and_has_every_good_account_once_and_names_every_bad_line_once(kind: Kind) {
        let world = World::on(kind).await;
        let folder = world.folder();
        let (file, broken) = big_file();
        std::fs::write(folder.join("names.csv"), file).unwrap();
        assert_eq!(broken.len(), 100);

        let good = (RECORDS - broken.len()) as i64;
        for so_far in ["imported 2", "imported 5"] {
            let mut import = Process::start(&folder, &["account", "import", "names.csv"], &[]);
            import.wait_for(so_far);
            import.kill();
            let half = world.database.count(&folder, "users").await;
            assert!(half >= 20_000 && half < good, "{half}");
            let done = world.database.rows(&folder, "SELECT records, imported, refused FROM imports").await;
            assert_eq!(done[0]["imported"], json!(half));
            let refused = done[0]["refused"].as_u64().unwrap() as usize;
            assert!(lines(&folder.join("names.csv.refused")).len() >= refused);
        }
        let ended = account(&folder, &["import", "names.csv", "--json"], "");
        assert_eq!(ended.code, 1, "{ended:?}");
        let summary: Value = serde_json::from_str(&ended.stdout).unwrap();
        let expected = json!({ "records": RECORDS, "imported": good, "refused": 100,
            "report": "names.csv.refused", "importedBefore": false });
        assert_eq!(summary, expected);
        assert!(ended.stderr.contains("100 records were refused") && ended.stderr.contains("import"), "{ended:?}");

        assert_eq!(lines(&folder.join("names.csv.refused")), broken);
        assert_eq!(world.database.count(&folder, "users").await, good);
        // Usernames are unique and each begins with its hash's number: so every name is there once, with its own.
        for (number, hash) in HASHES.iter().enumerate() {
            let expected = (0..RECORDS).filter(|record| record % HASHES.len() == number && record % 1000 != 777).count();
            let with = format!("users WHERE password_hash = '{hash}'");
            assert_eq!(world.database.count(&folder, &with).await, expected as i64, "{hash}");
            let own = format!("{with} AND username LIKE '{number}user%' AND status = 0");
            assert_eq!(world.database.count(&folder, &own).await, expected as i64, "{hash}");
        }
        for level in 0..3 {
            let expected = (0..RECORDS).filter(|record| {
                let said = if record % 1000 == 500 { 0 } else { record % 3 };
                record % 1000 != 777 && said == level
            });
            assert_eq!(world.database.count(&folder, &format!("users WHERE level = {level}")).await, expected.count() as i64);
        }
        assert_eq!(world.database.count(&folder, "users WHERE nickname = 'a \"quoted\" name, 小明'").await, 100);
        let report = std::fs::read_to_string(folder.join("names.csv.refused")).unwrap();
        for text in HASHES.into_iter().chain(["user0", "not a name", "maybe", "plain-text"]) {
            assert!(!report.contains(text), "{text}: {report}");
        }
    }
}

on_each_database! {
    async fn two_files_of_the_same_names_imported_at_once_give_each_name_to_one_of_them(kind: Kind) {
        let world = World::on(kind).await;
        let folder = world.folder();
        let rows: Vec<String> = (0..3000).map(|number| format!("user{number:04},{BCRYPT}\n")).collect();
        let backwards: String = rows.iter().rev().cloned().collect();
        std::fs::write(folder.join("a.csv"), format!("username,password_hash\n{}", rows.concat())).unwrap();
        std::fs::write(folder.join("b.csv"), format!("username,password_hash\n{backwards}")).unwrap();
        let imports = ["a.csv", "b.csv"].map(|file| Process::start(&folder, &["account", "import", file, "--json"], &[]));
        let mut sum = 0;
        for mut import in imports {
            let summary: Value = serde_json::from_str(&import.wait_for("importedBefore")).unwrap();
            assert_eq!(summary["imported"].as_u64().unwrap() + summary["refused"].as_u64().unwrap(), 3000);
            sum += summary["imported"].as_u64().unwrap();
        }
        assert_eq!((sum, world.database.count(&folder, "users").await), (3000, 3000));
        let refused = ["a.csv.refused", "b.csv.refused"].map(|report| folder.join(report)).into_iter();
        let refused: usize = refused.filter(|report| report.exists()).map(|report| lines(&report).len()).sum();
        assert_eq!(refused, 3000);
    }
}

on_each_database! {
    async fn a_file_imported_before_is_told_and_again_finds_every_name_taken(kind: Kind) {
        let world = World::on(kind).await;
        let folder = world.folder();
        std::fs::write(folder.join("a.csv"), format!("username,password_hash\nalice,{BCRYPT}\nbob,{BCRYPT}\n")).unwrap();
        let first = account(&folder, &["import", "a.csv"], "");
        assert_eq!((first.code, first.stdout.as_str()), (0, "2 accounts were made of 2 records\n"), "{first:?}");
        assert!(first.stderr.contains("a file of accounts was imported") && first.stderr.contains("imported=2"), "{first:?}");
        assert!(!folder.join("a.csv.refused").exists(), "nobody was refused");

        // By its content, whatever its name is.
        std::fs::copy(folder.join("a.csv"), folder.join("b.csv")).unwrap();
        let second = account(&folder, &["import", "b.csv"], "");
        assert!(second.code == 0 && second.stdout.contains("imported before, 2 accounts were made"), "{second:?}");
        let second = account(&folder, &["import", "b.csv", "--json"], "");
        let summary: Value = serde_json::from_str(&second.stdout).unwrap();
        assert_eq!(summary, json!({ "records": 2, "imported": 2, "refused": 0, "report": null, "importedBefore": true }));

        let again = account(&folder, &["import", "a.csv", "--again", "--report", "again.txt"], "");
        assert!(again.code == 1 && again.stdout.contains("0 accounts were made of 2 records"), "{again:?}");
        let report = std::fs::read_to_string(folder.join("again.txt")).unwrap();
        assert_eq!(report, "line 2: this username is taken\nline 3: this username is taken\n");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(folder.join("again.txt")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(world.database.count(&folder, "users").await, 2);
        // A failure stays one, so that a script that asks twice hears it twice.
        let told = account(&folder, &["import", "a.csv"], "");
        assert!(told.code == 1 && told.stderr.contains("2 records were refused then"), "{told:?}");

        let standing = account(&folder, &["import", "a.csv", "--again", "--report", "again.txt"], "");
        assert!(standing.code == 1 && standing.stderr.contains("again.txt stands already"), "{standing:?}");
        assert_eq!(std::fs::read_to_string(folder.join("again.txt")).unwrap(), report);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_and_json_lines_are_read_as_other_programs_write_them() {
    let world = World::on(Kind::Sqlite).await;
    let folder = world.folder();
    let csv = format!(
        "\u{feff}password_hash, nickname ,username,disabled,level\r\n\r\n{BCRYPT},\"大, 明\",\"ALICE\",1,2\r\n\
         {BCRYPT},\"two\r\nlines\",bob,,\r\n\r\n\r\n{BCRYPT},,alice,,\r\n{BCRYPT},\"\",\"\r\ncarol\",0,\r\n\
         {BCRYPT},,da\u{200b}ve,,\r\n{BCRYPT},\"\"\"q\"\"\",erin,FALSE,1"
    );
    std::fs::write(folder.join("a.csv"), csv).unwrap();
    let ended = account(&folder, &["import", "a.csv"], "");
    assert!(ended.code == 1 && ended.stdout.starts_with("3 accounts were made of 6 records"), "{ended:?}");
    let report = std::fs::read_to_string(folder.join("a.csv.refused")).unwrap();
    let expected = "line 4: nickname takes up to 64 characters, not only blanks, no control characters\n\
                    line 8: this username stands further up in the file\n\
                    line 11: username takes 1 to 64 letters (of any script), digits and . _ - @ +\n";
    assert_eq!(report, expected);
    let rows = "SELECT username, nickname, status, level FROM users ORDER BY username";
    let expected = [
        json!({ "username": "alice", "nickname": "大, 明", "status": 1, "level": 2 }),
        json!({ "username": "carol", "nickname": "", "status": 0, "level": 0 }),
        json!({ "username": "erin", "nickname": "\"q\"", "status": 0, "level": 1 }),
    ];
    assert_eq!(world.database.rows(&folder, rows).await, expected);

    let mut jsonl = String::from("\u{feff}\n");
    for line in [
        json!({ "username": "frank", "password_hash": BCRYPT, "level": 1, "disabled": true, "nickname": null }),
        json!({ "username": "grace", "password_hash": BCRYPT, "level": "2", "disabled": "0" }),
        json!({ "username": "heidi", "password_hash": BCRYPT, "phone": "+8613800138000" }),
        json!([BCRYPT]),
    ] {
        write!(jsonl, "{line}\r\n  \r\n").unwrap();
    }
    writeln!(jsonl, "{{\"username\": \"ivan\",\n{}", "x".repeat(70_000)).unwrap();
    write!(jsonl, "{}", json!({ "username": "ALICE", "password_hash": BCRYPT })).unwrap();
    std::fs::write(folder.join("export.txt"), jsonl).unwrap();
    let ended = account(&folder, &["import", "export.txt"], "");
    assert!(ended.code == 1 && ended.stderr.contains("--format"), "{ended:?}");
    let ended = account(&folder, &["import", "export.txt", "--format", "jsonl"], "");
    assert!(ended.code == 1 && ended.stdout.starts_with("2 accounts were made of 7 records"), "{ended:?}");
    let report = std::fs::read_to_string(folder.join("export.txt.refused")).unwrap();
    let object =
        "it is not an object of username, password_hash, nickname, level and disabled, each at most once";
    let expected = format!(
        "line 6: {object}\nline 8: {object}\nline 10: it is not valid JSON\n\
         line 11: it is longer than a record can be\nline 12: this username is taken\n"
    );
    assert_eq!(report, expected);
    assert_eq!(world.database.count(&folder, "users WHERE status = 1 AND username = 'frank'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_imported_is_refused_before_anything_is_begun() {
    let world = World::on(Kind::Sqlite).await;
    let folder = world.folder();
    for (content, said) in [
        (format!("username,password_hash,e-mail\nalice,{BCRYPT},x\n"), "column \"e-mail\" is unknown"),
        (format!("username,nickname\nalice,{BCRYPT}\n"), "column \"password_hash\" is missing"),
        (format!("username,password_hash,username\nalice,{BCRYPT},a\n"), "column \"username\" stands twice"),
        // Without a header: what stands there is nobody's to see.
        (format!("alice,{BCRYPT}\nbob,{BCRYPT}\n"), "must name the columns"),
        (format!("username,{BCRYPT}\n"), "column number 2 is unknown"),
        (String::new(), "must name the columns"),
    ] {
        std::fs::write(folder.join("bad.csv"), content).unwrap();
        let ended = account(&folder, &["import", "bad.csv"], "");
        assert!(ended.code == 1 && ended.stderr.contains(said), "{said}: {ended:?}");
        assert!(!ended.stderr.contains("alice"), "{ended:?}");
    }
    let open =
        format!("username,password_hash\nalice,{BCRYPT}\n\nbob,\"{BCRYPT}\n{}", "x,y\n".repeat(50_000));
    std::fs::write(folder.join("open.csv"), open).unwrap();
    let ended = account(&folder, &["import", "open.csv"], "");
    assert!(ended.code == 1 && ended.stderr.contains("a quote never closed"), "{ended:?}");
    for (file, said) in
        [("-", "stdin and pipes"), ("nowhere.csv", "can't be read"), (".", "must be a regular one")]
    {
        let ended = account(&folder, &["import", file], "");
        assert!(ended.code == 1 && ended.stderr.contains(said), "{file}: {ended:?}");
    }
    assert_eq!(world.database.count(&folder, "users").await, 0);

    // What an import was broken off with is only ever cut if it is that import's report.
    std::fs::write(folder.join("precious.txt"), "line up\n").unwrap();
    let ended = account(&folder, &["import", "open.csv", "--report", "precious.txt"], "");
    assert!(ended.code == 1 && ended.stderr.contains("precious.txt is not the report"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(folder.join("precious.txt")).unwrap(), "line up\n");
    let ended = account(&folder, &["import", "open.csv"], "");
    assert!(ended.code == 1 && ended.stderr.contains("a quote never closed"), "{ended:?}");
}

on_each_database! {
    async fn a_user_is_shown_disabled_and_enabled_by_name_id_or_phone_and_no_secret_is_printed(kind: Kind) {
        let world = World::on(kind).await;
        let folder = world.folder();
        let session = world.login("openid-of-alice").await;
        let id = session["userInfo"]["userId"].as_str().unwrap().to_owned();
        let button = world.press_phone(json!({ "openid": "openid-of-alice", "phone": "13580006666" })).await;
        world.ask("POST", "/v1/me/phone", &session, json!({ "code": button["code"] })).await.status(200);
        std::fs::write(folder.join("a.csv"), format!("username,password_hash,level\nbob,{BCRYPT},1\n")).unwrap();
        assert_eq!(account(&folder, &["import", "a.csv"], "").code, 0);

        let shown = account(&folder, &["show", "+8613580006666", "--json"], "");
        let value: Value = serde_json::from_str(&shown.stdout).unwrap();
        let expected = json!({
            "id": id, "username": null, "status": "active", "level": 0, "levelName": "普通用户", "phone": true,
            "createdAt": "2026-11-01T02:26:40.25Z", "apps": [{ "app": APP, "lastLoginAt": "2026-11-01T02:26:40.25Z" }],
            "wrongPasswords": { "count": 0, "lastAt": null },
        });
        assert_eq!(value, expected);
        let text = account(&folder, &["show", &id], "");
        let expected = format!(
            "id              {id}\nusername        none\nstatus          active\nlevel           0 (普通用户)\n\
             phone           set\ncreated         2026-11-01T02:26:40.25Z\nwrong passwords 0\n\
             apps            {APP}, last login 2026-11-01T02:26:40.25Z\n"
        );
        assert_eq!(text.stdout, expected);
        for said in [&text, &shown] {
            assert!(!said.stdout.contains("1358000") && !said.stdout.contains("openid"), "{said:?}");
        }
        let bob = account(&folder, &["show", " BOB "], "");
        assert!(bob.stdout.contains("username        bob\n") && bob.stdout.contains("apps            none\n"), "{bob:?}");
        assert!(bob.stdout.contains("level           1 (VIP用户)\nphone           none\n"), "{bob:?}");

        let disabled = account(&folder, &["disable", "+8613580006666"], "");
        let audited = |said: &Ended, event: &str| {
            let line = format!("audit event=\"{event}\" outcome=\"done\" user={id}");
            assert!(said.stderr.contains(&line), "{event}: {said:?}");
        };
        audited(&disabled, "disable");
        assert_eq!((disabled.code, disabled.stdout), (0, format!("{id} is disabled; tokens of before have ended\n")));
        world.ask("GET", "/v1/me", &session, Value::Null).await.refused(401, "token_invalid");
        let code = world.code("openid-of-alice").await;
        world.post("/v1/login", &json!({ "code": code })).await.refused(403, "user_disabled");
        assert!(account(&folder, &["show", &id], "").stdout.contains("status          disabled\n"));
        let enabled = account(&folder, &["enable", &id], "");
        assert!(enabled.code == 0 && enabled.stdout.starts_with(&format!("{id} is enabled")), "{enabled:?}");
        audited(&enabled, "enable");
        assert_eq!(account(&folder, &["disable", "bob"], "").code, 0);
        assert_eq!(world.database.count(&folder, "users WHERE username = 'bob' AND status = 1").await, 1);

        for (arguments, said) in [
            (["show", "nobody"], "no user has this username"),
            (["show", "+8613000000000"], "no user has this phone number"),
            (["disable", "00000000-0000-7000-8000-000000000000"], "There is no such user"),
            (["enable", "no such name"], "neither a user id nor a username nor a phone number"),
        ] {
            let ended = account(&folder, &arguments, "");
            assert!(ended.code == 1 && ended.stderr.contains(said) && ended.stdout.is_empty(), "{ended:?}");
        }
        let nobody = account(&folder, &["passwd", &id, "--password-stdin"], "long enough 1\n");
        assert!(nobody.code == 1 && nobody.stderr.contains("has no account"), "{nobody:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_will_not_do_or_does_not_come_is_refused_in_english() {
    let world = World::on(Kind::Sqlite).await;
    let folder = world.folder();
    for (arguments, input, said) in [
        (&["add", "alice", "--password-stdin"][..], "short\n", "a new password has at least 8 characters"),
        (&["add", "alice-in-china", "--password-stdin"], "Alice-In-China\n", "must not be the username"),
        (&["add", "alice", "--password-stdin"], "", "it is empty"),
        (&["add", "alice", "--password-stdin"], "\n", "it is empty"),
        (&["add", "no such name", "--password-stdin"], "long enough 1\n", "USERNAME: takes 1 to 64 letters"),
        (&["add", "alice"], "long enough 1\n", "--password-stdin"),
    ] {
        let ended = account(&folder, arguments, input);
        assert!(
            ended.code == 1 && ended.stderr.contains(said) && ended.stdout.is_empty(),
            "{said}: {ended:?}"
        );
    }
    assert_eq!(world.database.count(&folder, "users").await, 0);
}

on_each_database! {
    async fn an_account_is_added_and_given_another_password_and_its_tokens_of_before_end(kind: Kind) {
        let world = World::with_system_clock(kind, "").await;
        let folder = world.folder();
        let added = account(&folder, &["add", "Alice", "--password-stdin"], "first password 1\r\nsecond line\n");
        assert_eq!(added.code, 0, "{added:?}");
        let log_in = async |password: &str| {
            world.post("/v1/login/password", &json!({ "username": "alice", "password": password })).await
        };
        let session = log_in("first password 1").await.status(200).json();
        assert_eq!(session["userInfo"]["userId"], added.stdout.trim());
        let again = account(&folder, &["add", "ALICE", "--password-stdin"], "other password 1");
        assert!(again.code == 1 && again.stdout.is_empty(), "{again:?}");

        log_in("wrong password 1").await.refused(400, "bad_credentials");
        let shown = account(&folder, &["show", "alice", "--json"], "");
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(shown["wrongPasswords"]["count"], 1);
        assert!(shown["wrongPasswords"]["lastAt"].as_str().unwrap().ends_with('Z'), "{shown}");

        // A token counts from its second on: the next one is issued in a later one.
        world.clock.turn(std::time::Duration::from_secs(5));
        let changed = account(&folder, &["passwd", "alice", "--password-stdin"], "next password 1\n");
        assert!(changed.code == 0 && changed.stdout.contains("tokens of before have ended"), "{changed:?}");
        world.ask("GET", "/v1/me", &session, Value::Null).await.refused(401, "token_invalid");
        log_in("first password 1").await.refused(400, "bad_credentials");
        log_in("next password 1").await.status(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_account_of_each_kind_of_hash_logs_in_and_is_renewed() {
    let world = World::on(Kind::Sqlite).await;
    let folder = world.folder();
    let rows: String =
        HASHES.iter().enumerate().map(|(number, hash)| format!("user{number},\"{hash}\"\n")).collect();
    std::fs::write(folder.join("a.csv"), format!("username,password_hash\n{rows}")).unwrap();
    let ended = account(&folder, &["import", "a.csv"], "");
    assert_eq!(ended.code, 0, "{ended:?}");
    for number in 0..HASHES.len() {
        let body = json!({ "username": format!("user{number}"), "password": PASSWORD });
        world.post("/v1/login/password", &body).await.status(200);
    }
    let renewed = "users WHERE password_hash LIKE '$argon2id$v=19$m=64,%'";
    assert_eq!(world.database.count(&folder, renewed).await, HASHES.len() as i64);
    assert_eq!(run(&folder, &["account", "import", "a.csv"], &[]).code, 0);
}
