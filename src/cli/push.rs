//! A registry as the destination of `restow convert`.

#[cfg(feature = "registry")]
use std::cell::RefCell;
use std::path::Path;
#[cfg(feature = "registry")]
use std::sync::Arc;

use super::args::ConvertArgs;
#[cfg(feature = "registry")]
use super::remote::{self, Side};
use super::report;
use super::shell::Shell;
use crate::convert::{Plan, Request, Target};
use crate::error::{Error, Result};
use crate::form::place::Place;
#[cfg(feature = "registry")]
use crate::form::registry::{Address, PushOptions, Pushed};
use crate::form::sink::{OutName, Output, Sink};
#[cfg(feature = "registry")]
use crate::registry::Registries;

/// What is known of the destination before there is a plan; nothing where it is no registry.
#[cfg(feature = "registry")]
#[derive(Default)]
pub(super) struct Push {
    to: Option<(Arc<Registries>, String, PushOptions)>,
    pushed: RefCell<Option<Arc<Pushed>>>,
}

#[cfg(feature = "registry")]
impl Push {
    /// Reads what was typed, and says in the request which repository is meant.
    pub fn prepare(
        args: &ConvertArgs,
        source: &Place,
        destination: &Place,
        shell: &Shell,
        request: &mut Request,
    ) -> Result<Push> {
        if request.target != Target::Registry {
            let only = [("no-clobber", args.no_clobber), ("verify-after", args.verify_after)];
            if let Some((name, _)) = only.iter().find(|(_, given)| *given) {
                return Err(Error::refused(format!("--{name} goes with a docker:// destination")));
            }
            return Ok(Push::default());
        }
        let address = remote::address(destination)?;
        let registries = remote::registries(destination, Side::Second, shell)?;
        let mut options = PushOptions {
            no_clobber: args.no_clobber,
            verify_after: args.verify_after,
            ..PushOptions::default()
        };
        match &address {
            Address::Repository { name, tag, digest } => {
                let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                request.destination_name = Some(format!("{}{tag}", name.path()));
                options.digest = digest.clone();
            }
            Address::Host { prefix, .. } => options.prefix = prefix.clone(),
        }
        if source.is_remote() {
            if let Address::Repository { name, .. } = remote::address(source)? {
                options.mount_from = (name.domain() == address.domain()).then(|| name.path().to_owned());
            }
        }
        Ok(Push { to: Some((registries, address.domain().to_owned(), options)), pushed: RefCell::default() })
    }

    /// Where to write what was planned.
    pub fn sink(&self, plan: &Plan) -> Result<Box<dyn Sink>> {
        let first = plan.roots.iter().find_map(|root| root.repository.as_ref());
        let (Some((registries, domain, options)), Some((path, _))) = (&self.to, first) else {
            return Err(Error::refused("nothing is to be pushed"));
        };
        let path = format!("{}{path}", options.prefix);
        let (sink, pushed) = crate::form::registry::registry(registries, domain, &path, options.clone())?;
        *self.pushed.borrow_mut() = Some(pushed);
        Ok(sink)
    }

    /// What it came to.
    pub fn tell(&self, shell: &Shell) {
        if let Some(pushed) = &*self.pushed.borrow() {
            shell.say(&format!("  {}", pushed.line()));
        }
    }
}

/// A registry that this program knows nothing of.
#[cfg(not(feature = "registry"))]
pub(super) struct Push;

#[cfg(not(feature = "registry"))]
impl Push {
    pub fn prepare(
        _: &ConvertArgs,
        _: &Place,
        destination: &Place,
        _: &Shell,
        request: &mut Request,
    ) -> Result<Push> {
        match request.target {
            Target::Registry => Err(super::remote::without(destination)),
            _ => Ok(Push),
        }
    }

    pub fn sink(&self, _: &Plan) -> Result<Box<dyn Sink>> {
        Err(Error::refused("nothing is to be pushed"))
    }

    pub fn tell(&self, _: &Shell) {}
}

/// `--digestfile`: one image its digest alone, several with their names.
pub(super) fn digests(file: Option<&Path>, output: &Output) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let mut lines: Vec<String> = Vec::new();
    for root in &output.roots {
        let name = match (&root.repository, &root.name) {
            (Some((path, Some(tag))), _) => format!(" {path}:{tag}"),
            (_, OutName::Full(name)) => format!(" {}", name.familiar()),
            (_, OutName::BareTag(tag)) => format!(" :{tag}"),
            (_, OutName::Exact { ref_name, .. }) => format!(" {ref_name}"),
            (Some(_), OutName::None) if output.roots.len() > 1 => continue,
            (_, OutName::None) => String::new(),
        };
        lines.push(format!("{}{name}\n", root.target));
    }
    if let [only] = lines.as_slice() {
        lines = vec![format!("{}\n", only.split(' ').next().unwrap_or_default().trim_end())];
    }
    report::write(file, lines.concat().as_bytes())
}
