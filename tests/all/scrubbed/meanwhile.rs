//! A storage that changes, or goes, while it is scrubbed.

use std::path::Path;
use std::process::Stdio;
use std::sync::Once;
use std::sync::atomic::Ordering;

use restow::scrub::{Counters, Request as ScrubRequest, Scrubbed};
use restow::{BlobProgress, Options, Place, Progress, Result};

use super::storage::{Storage, command, json, tar};

/// Does something once, when the first blob is about to be read: links were read by then.
struct AtFirst<F: Fn() + Sync> {
    once: Once,
    what: F,
}

impl<F: Fn() + Sync> Progress for AtFirst<F> {
    fn blob(&self, _: &str, _: u64) -> Option<Box<dyn BlobProgress + '_>> {
        self.once.call_once(&self.what);
        None
    }
}

fn scrub(place: &str, state: Option<&Path>, counters: &Counters, what: impl Fn() + Sync) -> Result<Scrubbed> {
    let progress = AtFirst { once: Once::new(), what };
    let place = Place::parse(place).expect("a place");
    let request = ScrubRequest { state: state.map(Path::to_owned), ..ScrubRequest::default() };
    let options = Options { progress: &progress, jobs: 1, ..Options::default() };
    restow::scrub::run(&place, &request, &Default::default(), &options, counters, Default::default())
}

fn alarms(scrubbed: &Scrubbed) -> Vec<String> {
    let told = scrubbed.told.as_ref().expect("judged");
    let findings = told.levelled().into_iter().filter(|(level, _)| *level >= restow::Level::Warning);
    findings.map(|(_, finding)| format!("{}: {}", finding.rule.name, finding.message)).collect()
}

#[test]
fn what_went_came_or_was_mended_meanwhile_raises_no_alarm() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled(&dir.path().join("storage"), 10);
    let going = storage.image("going", "going", &[tar("etc/going", b"going")]);
    storage.tag("going", "1", &going.manifest);
    let wrong = storage.image("wrong", "wrong", &[tar("etc/wrong", b"wrong")]);
    storage.tag("wrong", "1", &wrong.manifest);
    let whole = std::fs::read(storage.data(&wrong.layers[0])).expect("read");
    std::fs::write(storage.data(&wrong.layers[0]), &whole[1..]).expect("written");
    let counters = Counters::default();
    let scrubbed = scrub(&storage.place(), None, &counters, || {
        // Deleted, with its garbage; pushed; and put right.
        std::fs::remove_dir_all(storage.root().join("repositories/going")).expect("removed");
        for digest in [&going.manifest, &going.config, &going.layers[0]] {
            std::fs::remove_file(storage.data(digest)).expect("removed");
        }
        let coming = storage.image("team0/app0", "coming", &[tar("etc/coming", b"coming")]);
        storage.tag("team0/app0", "coming", &coming.manifest);
        storage.tag("team0/app0", "latest", &coming.manifest);
        std::fs::write(storage.data(&wrong.layers[0]), &whole).expect("written");
    });
    let scrubbed = scrubbed.expect("scrubs");
    assert_eq!(alarms(&scrubbed), [""; 0]);
    assert!(Counters::get(&counters.meanwhile) > 0);
}

#[test]
fn a_storage_that_vanishes_is_an_error_and_nothing_is_lost() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled(&dir.path().join("storage"), 200);
    let (state, away) = (dir.path().join("state.db"), dir.path().join("away"));
    let gone = scrub(&storage.place(), Some(&state), &Counters::default(), || {
        std::fs::rename(storage.dir.join("docker"), &away).expect("moved away");
    });
    let error = gone.err().expect("an error").to_string();
    assert!(error.starts_with("cannot "), "{error}");
    std::fs::rename(&away, storage.dir.join("docker")).expect("moved back");
    // No row says that a blob is gone, and none that it is wrong.
    let counters = Counters::default();
    let scrubbed = scrub(&storage.place(), Some(&state), &counters, || {}).expect("scrubs");
    assert_eq!(alarms(&scrubbed), [""; 0]);
    assert_eq!(counters.listed.load(Ordering::SeqCst), 601);
}

#[test]
fn a_run_that_is_killed_again_and_again_comes_to_its_end() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let storage = super::planted::damaged(&dir.path().join("storage"), 300);
    let (_, single) = json(&["scrub", &storage.place()]);
    let state = dir.path().join("state.db");
    let arguments = ["scrub", "--json", "--state", state.to_str().expect("UTF-8"), &storage.place()];
    let mut kills = 0;
    for kill in 1..40u64 {
        let mut child =
            command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        std::thread::sleep(std::time::Duration::from_millis(40 * kill));
        if child.try_wait().expect("waited").is_some() {
            break;
        }
        kills += 1;
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    let (code, report) = json(&["scrub", "--state", state.to_str().expect("UTF-8"), &storage.place()]);
    assert_eq!((code, report), (Some(1), single));
    assert!(kills > 0, "it was over before the first kill");
}

#[test]
fn a_run_that_is_ended_by_a_signal_keeps_what_it_read() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled(&dir.path().join("storage"), 400);
    let state = dir.path().join("state.db");
    let arguments = ["scrub", "--state", state.to_str().expect("UTF-8"), &storage.place()];
    let mut ended = None;
    for wait in [300, 150, 80, 40, 20] {
        let _ = std::fs::remove_file(&state);
        let child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().expect("runs");
        let output = child.wait_with_output().expect("ended");
        if killed.success() && output.status.code() != Some(0) {
            ended = Some(output);
            break;
        }
    }
    let ended = ended.expect("it was over before every signal");
    let told = String::from_utf8_lossy(&ended.stderr);
    // Before it listens to signals there is nothing to keep.
    assert_eq!(ended.status.code(), Some(143), "{told}");
    let (code, report) = json(&arguments);
    assert_eq!((code, super::planted::warnings(&report).len()), (Some(0), 0));
}
