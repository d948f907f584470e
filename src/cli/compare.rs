//! `restow compare`: do two places hold the same images?

use super::WRONG;
use super::args::{CompareArgs, Ignore};
use super::open::open;
use super::progress::Told;
use super::remote::{self, Side};
use super::shell::Shell;
use crate::compare::{Aspects, Holding, differences};
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::form::place::Place;

pub(super) fn run(args: &CompareArgs, shell: &Shell) -> Result<u8> {
    if args.a == "-" && args.b == "-" {
        return Err(Error::refused("only one of the places can be standard input"));
    }
    let (first, second) = (Place::parse(&args.a)?, Place::parse(&args.b)?);
    shell.sides_are_clear(&first, &second)?;
    let a = holding(&first, Side::First, shell)?;
    let b = holding(&second, Side::Second, shell)?;
    let aspects = Aspects {
        names: !args.ignore.contains(&Ignore::Names),
        digests: !args.ignore.contains(&Ignore::Digests),
        layers: !args.ignore.contains(&Ignore::Layers),
        platforms: !args.ignore.contains(&Ignore::Platforms),
    };
    let found = differences(&a, &b, aspects);
    let mut text = String::new();
    for difference in &found {
        text.push_str(&format!("{}\n", escape_str(&difference.to_string())));
    }
    if found.is_empty() {
        let n = a.images.len();
        let images = if n == 1 { "image" } else { "images" };
        text = format!("same: {n} {images}\n");
    } else {
        let n = found.len();
        let plural = if n == 1 { "difference" } else { "differences" };
        text.push_str(&format!(
            "{n} {plural} between A = {} and B = {}\n",
            escape_str(&args.a),
            escape_str(&args.b)
        ));
    }
    shell.print(&text)?;
    Ok(if found.is_empty() { 0 } else { WRONG })
}

fn holding(place: &Place, side: Side, shell: &Shell) -> Result<Holding> {
    let archive = match place.is_remote() {
        true => remote::open(place, side, true, shell, &shell.limits()?)?,
        false => open(place, shell, None)?,
    };
    Holding::read(&archive, place.name.as_deref(), &shell.options()?, &Told::new(&shell.common))
}
