//! Twins of usernames: one name, however it is written, on every database; and nothing that can't be seen in one.

use serde_json::json;

use crate::on_each_database;
use crate::world::{Answer, Kind, World};

async fn world(kind: Kind) -> World {
    World::with(kind, "accounts.registration = true\naccounts.registrations_per_minute = 10000").await
}

async fn register(world: &World, username: &str) -> Answer {
    world.post("/v1/accounts", &json!({ "username": username, "password": "correct horse battery" })).await
}

on_each_database! {
    async fn a_name_in_other_clothes_is_taken(kind: Kind) {
        let world = world(kind).await;
        for (name, twins) in [
            ("xiaoming", &["XIAOMING", "XiaoMing", "ＸＩＡＯＭＩＮＧ", "ｘｉａｏｍｉｎｇ", "𝐱𝐢𝐚𝐨𝐦𝐢𝐧𝐠", "ⓧⓘⓐⓞⓜⓘⓝⓖ", " xiaoming\t"][..]),
            ("kelly.fish", &["\u{212a}elly.ﬁsh", "Kelly.FISH", "kelly.fi\u{17f}h"]),
            ("strasse", &["straße", "STRASSE", "Straẞe"]),
            ("e\u{301}ve", &["éve", "ÉVE", "E\u{301}VE"]),
            ("σίσυφος", &["ΣΊΣΥΦΟΣ", "σίσυφοσ"]),
            ("小明", &["⼩明"]),
            ("user1", &["user①", "user¹", "user１"]),
        ] {
            register(&world, name).await.status(201);
            for twin in twins {
                register(&world, twin).await.refused(409, "username_taken");
                // It is the same account, too.
                let login = json!({ "username": twin, "password": "correct horse battery" });
                assert_eq!(world.post("/v1/login/password", &login).await.status(200).json()["bound"], true, "{twin}");
            }
        }
    }
}

on_each_database! {
    async fn names_that_only_a_database_would_fold_are_two(kind: Kind) {
        let world = world(kind).await;
        // Collations fold accents, and trailing blanks; a letter of another script is another letter.
        for name in ["resume", "résumé", "oe", "œ", "xiaoming", "хiaoming", "i", "ı", "a.b", "a-b", "a_b", "ab"] {
            register(&world, name).await.status(201);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_seen_in_a_name_is_refused() {
    let world = world(Kind::Sqlite).await;
    register(&world, "xiaoming").await.status(201);
    for unseen in [
        "\u{0}",
        "\u{7}",
        "\u{ad}",
        "\u{200b}",
        "\u{200d}",
        "\u{200e}",
        "\u{202e}",
        "\u{2060}",
        "\u{2066}",
        "\u{feff}",
        "\u{3164}",
        "\u{115f}",
        "\u{34f}",
        "\u{180e}",
        "\u{fe0f}",
        "\u{e0041}",
        "\u{85}",
        "\u{2028}",
        "\u{fff9}",
        "\u{10ffff}",
    ] {
        for twin in [format!("xiao{unseen}ming"), format!("xiaoming{unseen}x"), format!("x{unseen}.")] {
            register(&world, &twin).await.refused(400, "invalid_field");
            let login = json!({ "username": twin, "password": "correct horse battery" });
            world.post("/v1/login/password", &login).await.refused(400, "invalid_field");
        }
    }
    for odd in [
        "xiao ming",
        "xiao\u{a0}ming",
        "xiao/ming",
        "xiao%00ming",
        "' OR 1=1 --",
        "\u{338}xiao",
        "xiao\u{20dd}",
    ] {
        register(&world, odd).await.refused(400, "invalid_field");
    }
}
