//! Every fault that a registry can have, planted one at a time in the registry inside the tests and in Debian's behind a
//! proxy: what restow says, and what stands afterwards. The table of `docs/registries.md` is what this test saw;
//! `BLESS=1 cargo test --test all registry::faults` writes it anew, where docker-registry and htpasswd are installed.

use std::path::Path;

use super::debian::has;
use super::places::{layout, restow, stderr};
use super::server::{Act, Auth, Manner, Plant};
use super::standing::Standing;

const BEGIN: &str = "<!-- faults: made by a test -->\n";
const END: &str = "<!-- end of faults -->\n";
const CREDS: &str = "user:hunter22";

/// A fault, and how it is met.
struct Planted {
    /// What is wrong.
    name: &'static str,
    manner: Manner,
    /// Method, part of the path, and what happens.
    plant: Option<(&'static str, &'static str, Act)>,
    /// `--creds`, if any.
    creds: Option<&'static str>,
    /// What of the registry is read; nothing is written to then.
    reads: Option<&'static str>,
    /// How many requests meet it, with one try more than that.
    times: usize,
    exit: i32,
}

/// As many requests as there are.
const ALWAYS: usize = 1000;

fn status(status: u16) -> Act {
    Act::Status(status, vec![], String::new())
}

fn with(status: u16, name: &'static str, value: &str) -> Act {
    Act::Status(status, vec![(name, value.to_owned())], String::new())
}

fn reading(name: &'static str, path: &'static str, act: Act) -> Planted {
    let plant = Some(("GET", path, act));
    let reads = Some("team/app:v1");
    Planted { name, manner: Manner::default(), plant, creds: None, reads, times: ALWAYS, exit: 2 }
}

fn writing(name: &'static str, method: &'static str, path: &'static str, act: Act) -> Planted {
    let plant = Some((method, path, act));
    Planted { name, manner: Manner::default(), plant, creds: None, reads: None, times: ALWAYS, exit: 2 }
}

fn all() -> Vec<Planted> {
    let page = Act::Status(200, vec![("Content-Type", "text/html".into())], "<html>sign in</html>".into());
    let said =
        |status, code: &str| Act::Status(status, vec![], format!(r#"{{"errors":[{{"code":"{code}"}}]}}"#));
    let basic = || Manner { auth: Auth::Basic(CREDS.into()), ..Manner::default() };
    let bearer = || Manner {
        auth: Auth::Bearer { pair: CREDS.into(), anonymous: false, expires_in: None },
        ..Manner::default()
    };
    let manifest = "/manifests/v1";
    vec![
        Planted { manner: basic(), plant: None, ..reading("no password", manifest, status(200)) },
        Planted {
            manner: basic(),
            plant: None,
            creds: Some("user:wrong-one"),
            ..reading("wrong password", manifest, status(200))
        },
        Planted {
            manner: bearer(),
            creds: Some(CREDS),
            ..reading("a token that is granted and then refused", manifest, said(401, "UNAUTHORIZED"))
        },
        Planted {
            plant: None,
            reads: Some("team/app:v2"),
            ..reading("a tag that is not there", manifest, status(200))
        },
        Planted {
            plant: None,
            reads: Some("team/none:v1"),
            ..reading("no such repository", manifest, status(200))
        },
        reading("500 to every try", manifest, status(500)),
        reading("429, to come again in an hour", manifest, with(429, "Retry-After", "3600")),
        reading("a page of HTML instead of JSON", manifest, page),
        reading(
            "a redirect to plain HTTP elsewhere",
            manifest,
            with(307, "Location", "http://elsewhere.example/x"),
        ),
        reading("redirects without end", manifest, with(307, "Location", "/v2/team/app/manifests/v1")),
        reading("the connection breaks before an answer", manifest, Act::Hang),
        reading("nothing is answered", manifest, Act::Silent),
        reading("a manifest without end", manifest, Act::Endless),
        reading("a manifest that ends early", manifest, Act::Cut(10)),
        Planted {
            reads: Some("team/app@DIGEST"),
            exit: 1,
            ..reading("a manifest with a wrong byte", "/manifests/sha256", Act::Flip)
        },
        Planted {
            reads: Some(""),
            ..reading(
                "a list whose next page is itself",
                "/_catalog",
                Act::Status(
                    200,
                    vec![("Link", "</v2/_catalog?n=1>; rel=\"next\"".into())],
                    r#"{"repositories":["team/app"]}"#.into(),
                ),
            )
        },
        reading("a blob that is gone", "/blobs/", status(404)),
        reading("a blob that ends early", "/blobs/", Act::Cut(10)),
        Planted { exit: 1, ..reading("a blob shorter than it should be", "/blobs/", Act::Length(40)) },
        Planted { exit: 1, ..reading("a blob with a wrong byte", "/blobs/", Act::Flip) },
        reading("a blob without end", "/blobs/", Act::Endless),
        reading("a blob of which a byte comes now and then", "/blobs/", Act::Drip),
        writing("no upload may begin", "POST", "/uploads/", said(403, "DENIED")),
        writing("an upload that does not say where", "POST", "/uploads/", status(202)),
        writing("the connection breaks in an upload", "PUT", "/uploads/", Act::Hang),
        writing(
            "a digest that the registry computes otherwise",
            "PUT",
            "/uploads/",
            said(400, "DIGEST_INVALID"),
        ),
        writing(
            "a blob that is kept as another",
            "PUT",
            "/uploads/",
            with(201, "Docker-Content-Digest", OTHER),
        ),
        writing("a manifest that is not taken", "PUT", "/manifests/sha256", said(400, "MANIFEST_INVALID")),
        writing("no answer to a manifest", "PUT", "/manifests/sha256", Act::Silent),
        writing(
            "a manifest that is kept as another",
            "PUT",
            "/manifests/sha256",
            with(201, "Docker-Content-Digest", OTHER),
        ),
        writing("a tag that may not be set", "PUT", manifest, said(403, "DENIED")),
        reading("a manifest of 100 MB", manifest, Act::Large(100_000_000)),
        once(reading("503 once, to come again in a second", manifest, with(503, "Retry-After", "1")), 0),
        once(reading("a blob that breaks off once", "/blobs/", Act::Cut(10)), 0),
        once(
            reading("a blob that breaks off once, of a registry without ranges", "/blobs/", Act::WholeAnyway),
            0,
        ),
        once(
            Planted {
                manner: bearer(),
                creds: Some(CREDS),
                ..reading("a token that is void in the middle", "/blobs/", Act::Void)
            },
            0,
        ),
        once(writing("429 once to an upload", "POST", "/uploads/", with(429, "Retry-After", "1")), 0),
        once(writing("an upload that breaks once", "PUT", "/uploads/", Act::Hang), 0),
        once(
            writing("a manifest that is answered too late once", "PUT", "/manifests/sha256", status(504)),
            0,
        ),
    ]
}

/// A fault that befalls one request.
fn once(planted: Planted, exit: i32) -> Planted {
    Planted { times: 1, exit, ..planted }
}

const OTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// With `instead` for each text that begins so, up to a character.
fn without(text: &str, begin: &str, end: fn(char) -> bool, instead: &str) -> String {
    let mut parts = text.split(begin);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(instead);
        out.push_str(part.find(end).map_or("", |at| &part[at..]));
    }
    out
}

/// Without what differs from run to run.
fn plain(text: &str, standing: &Standing) -> String {
    let text = text.replace(standing.address(), "registry.example");
    let text = without(&text, &format!("{}/.tmp", std::env::temp_dir().display()), |c| c == '/', "~");
    // How the system tells it depends on who noticed first.
    let text = without(&text, "the connection broke: ", |c| c == '\n', "the connection broke");
    let mut parts = text.split("sha256:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let hex = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        if hex == 64 {
            out.push_str(&format!("sha256:{}…{}", &part[..8], &part[64..]));
        } else {
            out.push_str(&format!("sha256:{part}"));
        }
    }
    out.replace('|', "\\|")
}

/// The error and its help, or the rules that found something.
fn said(output: &str, exit: i32, standing: &Standing) -> String {
    match exit {
        0 => "nothing: it goes on".to_owned(),
        1 => found(output),
        _ => {
            let text = plain(output, standing);
            let joined = text.replace("\n         ", " ").replace("\n  help: ", "; ");
            let error = joined.lines().find_map(|line| line.strip_prefix("error: "));
            error.unwrap_or_else(|| panic!("no error in {output}")).to_owned()
        }
    }
}

/// What restow says to a fault, and what stands afterwards.
#[derive(PartialEq)]
struct Row {
    said: String,
    stands: &'static str,
}

fn row(planted: &Planted, standing: &Standing) -> Row {
    let registry = format!("docker://{}", standing.address());
    let source = layout("three-layers");
    // One blob after another, so that it is always the same that meets the fault first.
    let tries = if planted.times == ALWAYS { "0" } else { "1" };
    let options = ["--retry-times", tries, "--timeout", "2", "--jobs", "1"];
    let creds = planted.creds.map_or(vec![], |creds| vec!["--creds", creds]);
    let plant = || {
        if let Some((method, path, act)) = &planted.plant {
            let plant = |times, act| Plant { method, path: (*path).to_owned(), times, act };
            // A registry without ranges is noticed where a blob breaks off.
            if matches!(act, Act::WholeAnyway) {
                standing.plant(plant(1, Act::Cut(10)));
            }
            standing.plant(plant(planted.times, act.clone()));
        }
    };
    let count = |method: &str, part: &str| {
        let seen = standing.seen();
        seen.iter().filter(|seen| seen.method == method && seen.target.contains(part)).count()
    };
    let Some(reads) = planted.reads else {
        plant();
        let place = format!("{registry}/team/app:v1");
        let output = restow(&[&["convert"], &options[..], &[&source, &place]].concat());
        assert_eq!(output.status.code(), Some(planted.exit), "{}: {}", planted.name, stderr(&output));
        let left = standing.held("team/app");
        left.is_whole().unwrap_or_else(|half| panic!("{}: {half}", planted.name));
        assert_eq!(left.tags.is_empty(), planted.exit != 0, "{}: a tag of a half", planted.name);
        let whole = left.blobs.len() == 4 && !left.manifests.is_empty();
        // The same command again, without the fault, sends what is missing.
        standing.heal();
        standing.seen();
        let again = restow(&["convert", &source, &place]);
        assert_eq!(again.status.code(), Some(0), "{}: {}", planted.name, stderr(&again));
        let posts = count("POST", "/uploads/");
        let now = standing.held("team/app");
        let sent = now.blobs.len() - left.blobs.len();
        assert_eq!(posts, sent, "{}: what was there is sent again", planted.name);
        assert_eq!((now.blobs.len(), now.manifests.len(), now.tags.len()), (4, 1, 1), "{}", planted.name);
        let stands = match (planted.exit, whole) {
            (0, _) => "all of it",
            (_, true) => "all but the tag",
            _ => "no tag, no manifest that lacks anything",
        };
        return Row { said: said(&stderr(&output), planted.exit, standing), stands };
    };
    let full = ["--dest-creds", CREDS];
    let place = format!("{registry}/team/app:v1");
    let pushed = restow(&[&["convert"], &full[..], &[&source, &place]].concat());
    assert_eq!(pushed.status.code(), Some(0), "{}", stderr(&pushed));
    let before = standing.held("team/app");
    let digest = before.tags.values().next().cloned().expect("a tag");
    let place = format!("{registry}/{}", reads.replace("DIGEST", &digest));
    plant();
    let output = restow(&[&["check"], &options[..], &creds, &[&place]].concat());
    let everything = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    assert_eq!(output.status.code(), Some(planted.exit), "{}: {everything}", planted.name);
    assert!(!everything.contains("wrong-one") && !everything.contains("hunter22"), "{everything}");
    let words = if planted.exit == 2 { stderr(&output) } else { everything };
    let words = said(&words, planted.exit, standing);
    // Nor does a conversion leave anything.
    if planted.times != ALWAYS {
        standing.heal();
        plant();
    }
    let folder = tempfile::tempdir().expect("temporary directory");
    let to = folder.path().join("layout");
    let destination = format!("oci:{}", to.display());
    let output = restow(&[&["convert"], &options[..], &creds, &[&place, &destination]].concat());
    assert_eq!(output.status.code(), Some(planted.exit), "{}: {}", planted.name, stderr(&output));
    assert_eq!(to.exists(), planted.exit == 0, "{}: something was written", planted.name);
    assert!(standing.held("team/app") == before, "{}: a reader changed the registry", planted.name);
    Row { said: words, stands: if planted.exit == 0 { "all of it is written" } else { "nothing is written" } }
}

/// The rules of the errors that were found.
fn found(output: &str) -> String {
    let rules = output.lines().filter_map(|line| line.strip_prefix("error[")?.split(']').next());
    let rules: std::collections::BTreeSet<String> = rules.map(|rule| format!("`{rule}`")).collect();
    assert!(!rules.is_empty(), "{output}");
    format!("finds {}", rules.into_iter().collect::<Vec<_>>().join(", "))
}

/// What the last column says of Debian's registry.
fn column(planted: &Planted, own: &Row) -> String {
    let Some(standing) = Standing::debian(&planted.manner) else {
        return "not tried: it gives no tokens".to_owned();
    };
    let row = row(planted, &standing);
    assert_eq!(row.stands, own.stands, "{} in docker-registry", planted.name);
    if row.said == own.said { "the same".to_owned() } else { row.said }
}

/// Without the last column.
fn but_the_last(table: &str) -> String {
    table
        .lines()
        .map(|line| line.trim_end_matches('|').rsplit_once(" | ").map_or(line, |(rest, _)| rest))
        .collect()
}

#[test]
fn each_is_told_and_leaves_no_half() {
    let debian = has("docker-registry") && has("htpasswd");
    let mut table = String::from(
        "| fault | restow says | exit | afterwards | docker-registry |\n|---|---|---|---|---|\n",
    );
    // Several at once: most of the time they wait.
    let line = |planted: &Planted| {
        let own = row(planted, &Standing::own(planted.manner.clone()));
        let last = if debian { column(planted, &own) } else { String::new() };
        format!("| {} | {} | {} | {} | {last} |\n", planted.name, own.said, planted.exit, own.stands)
    };
    let planted = all();
    let rows: Vec<String> = std::thread::scope(|scope| {
        let handles: Vec<_> = planted.iter().map(|planted| scope.spawn(move || line(planted))).collect();
        handles.into_iter().map(|handle| handle.join().expect("told as expected")).collect()
    });
    table.push_str(&rows.concat());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/registries.md");
    let page = std::fs::read_to_string(&file).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("where the table begins");
    let (now, after) = rest.split_once(END).expect("where the table ends");
    if std::env::var_os("BLESS").is_some() && debian {
        std::fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}")).expect("written");
        return;
    }
    let anew = "BLESS=1 cargo test --test all registry::faults writes it anew";
    if debian {
        assert_eq!(now, table, "{anew}");
    } else {
        assert_eq!(but_the_last(now), but_the_last(&table), "{anew}, where docker-registry is installed");
    }
}
