//! `restow compare`: do two places hold the same images?

use super::args::{CompareArgs, Ignore};
use super::open::open;
use super::progress::Told;
use super::remote::Side;
use super::shell::Shell;
use super::status::WRONG;
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::{Aspects, Place};

pub(super) fn run(args: &CompareArgs, shell: &Shell) -> Result<u8> {
    if args.a == "-" && args.b == "-" {
        return Err(Error::refused("only one of the places can be standard input"));
    }
    let (first, second) = (Place::parse(&args.a)?, Place::parse(&args.b)?);
    shell.sides_are_clear(&first, &second)?;
    let a = open(&first, Side::First, shell, |source| source)?;
    let b = open(&second, Side::Second, shell, |source| source)?;
    let aspects = Aspects {
        names: !args.ignore.contains(&Ignore::Names),
        digests: !args.ignore.contains(&Ignore::Digests),
        layers: !args.ignore.contains(&Ignore::Layers),
        platforms: !args.ignore.contains(&Ignore::Platforms),
    };
    let told = Told::new(&shell.common);
    let (a, b) = ((&a, first.name.as_deref()), (&b, second.name.as_deref()));
    let compared = crate::compare(a, b, aspects, &shell.options(&told)?)?;
    let found = compared.differences;
    let mut text = String::new();
    for difference in &found {
        text.push_str(&format!("{}\n", escape_str(&difference.to_string())));
    }
    if found.is_empty() {
        let n = compared.images;
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
    if !(found.is_empty() && shell.common.quiet) {
        shell.print(&text)?;
    }
    Ok(if found.is_empty() { 0 } else { WRONG })
}
