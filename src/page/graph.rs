//! The graph from names to layers, drawn: each node stands once, whoever shares it, and faults are marked.

use std::collections::{BTreeSet, HashMap};

use maud::{Markup, html};

use super::words::{brief, size};
use crate::escape::escape_str;
use crate::jobs::inspect::Entry;

/// Nodes that are drawn. 600: twelve platforms of 60 layers, most of them shared; more is a grey square.
const NODES: usize = 600;

/// Pixels.
const WIDTH: usize = 190;
const HEIGHT: usize = 24;
const ACROSS: usize = 250;
const DOWN: usize = 32;
const MARGIN: usize = 8;

/// Characters of a label.
const LABEL: usize = 26;

/// What a node is; also its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Name,
    Index,
    Manifest,
    Config,
    Layer,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Kind::Name => "name",
            Kind::Index => "index",
            Kind::Manifest => "manifest",
            Kind::Config => "config",
            Kind::Layer => "layer",
        }
    }
}

/// Where a node leads on the page, and whether something is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Leads {
    pub faulty: bool,
    pub to: Option<String>,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    label: String,
    /// What stands in the tooltip: the whole digest or name.
    whole: String,
    column: usize,
    row: usize,
    missing: bool,
}

/// Nodes and edges, with their places.
#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Node>,
    edges: BTreeSet<(usize, usize)>,
    known: HashMap<(Kind, String), usize>,
    /// Whether something was left out.
    cut: bool,
}

impl Graph {
    fn node(&mut self, kind: Kind, whole: &str, label: &str, column: usize) -> Option<usize> {
        let key = (kind, whole.to_owned());
        if let Some(nth) = self.known.get(&key) {
            let nth = *nth;
            // An edge must lead to the right.
            self.nodes[nth].column = self.nodes[nth].column.max(column);
            return Some(nth);
        }
        if self.nodes.len() == NODES {
            self.cut = true;
            return None;
        }
        let node = Node {
            kind,
            label: short(label),
            whole: escape_str(whole).into_owned(),
            column,
            row: 0,
            missing: false,
        };
        self.known.insert(key, self.nodes.len());
        self.nodes.push(node);
        Some(self.nodes.len() - 1)
    }

    fn edge(&mut self, from: Option<usize>, to: Option<usize>) {
        if let (Some(from), Some(to)) = (from, to) {
            self.edges.insert((from, to));
        }
    }

    /// `deepest` is the column of manifests: behind the deepest index.
    fn add(&mut self, entry: &Entry, above: Option<usize>, column: usize, deepest: usize, nth: &mut usize) {
        *nth += 1;
        let unnamed = format!("{} {nth}", entry.kind);
        let whole = entry.digest.as_deref().or(entry.id.as_deref()).unwrap_or(&unnamed);
        let index = entry.kind == "index";
        let label = match &entry.platform {
            Some(platform) => format!("{} {platform}", entry.kind),
            None => format!("{} {}", entry.kind, brief(whole)),
        };
        let kind = if index { Kind::Index } else { Kind::Manifest };
        let known = self.known.contains_key(&(kind, whole.to_owned()));
        let here = self.node(kind, whole, &label, if index { column } else { deepest });
        self.edge(above, here);
        if known {
            return;
        }
        if let (Some(here), true) = (here, entry.kind == "missing") {
            self.nodes[here].missing = true;
        }
        if let Some(id) = entry.id.as_deref().filter(|id| Some(*id) != entry.digest.as_deref()) {
            let config = self.node(Kind::Config, id, &format!("config {}", brief(id)), deepest + 1);
            self.edge(here, config);
        }
        for layer in &entry.layers {
            let Some(digest) = layer.digest.as_deref().or(layer.diff_id.as_deref()) else { continue };
            let size = layer.size.map(size).unwrap_or_default();
            let node = self.node(Kind::Layer, digest, &format!("{} {size}", brief(digest)), deepest + 1);
            if let (Some(node), true) = (node, layer.missing) {
                self.nodes[node].missing = true;
            }
            self.edge(here, node);
        }
        for child in &entry.manifests {
            self.add(child, here, column + 1, deepest, nth);
        }
    }

    /// Rows in the order in which nodes were met; the size of the drawing.
    fn place(&mut self) -> (usize, usize) {
        let mut filled: HashMap<usize, usize> = HashMap::new();
        for node in &mut self.nodes {
            let row = filled.entry(node.column).or_default();
            node.row = *row;
            *row += 1;
        }
        let columns = filled.keys().max().map_or(0, |column| column + 1);
        let rows = filled.values().max().copied().unwrap_or_default();
        (columns * ACROSS + 2 * MARGIN, rows * DOWN + 2 * MARGIN)
    }
}

/// How many indexes stand above the deepest image.
fn depth(entry: &Entry) -> usize {
    match entry.kind {
        "index" => 1 + entry.manifests.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Draws the images of a source; `leads` knows the place of each node on the page. Empty where there is nothing to draw.
pub(super) fn svg(images: &[Entry], label: &str, leads: &dyn Fn(Kind, &str) -> Leads) -> Markup {
    let mut graph = Graph::default();
    let deepest = 1 + images.iter().map(depth).max().unwrap_or_default();
    let mut nth = 0;
    for entry in images {
        let names: Vec<Option<usize>> =
            entry.names.iter().map(|name| graph.node(Kind::Name, name, name, 0)).collect();
        let first = names.first().copied().flatten();
        graph.add(entry, first, 1, deepest, &mut nth);
        let whole = entry.digest.as_deref().or(entry.id.as_deref()).unwrap_or_default().to_owned();
        let kind = if entry.kind == "index" { Kind::Index } else { Kind::Manifest };
        let target = graph.known.get(&(kind, whole)).copied();
        for name in names {
            graph.edge(name, target);
        }
    }
    let (width, height) = graph.place();
    let nodes: Vec<(&Node, Leads)> =
        graph.nodes.iter().map(|node| (node, leads(node.kind, &node.whole))).collect();
    html! {
        @if !graph.nodes.is_empty() {
            section.drawing tabindex="0" aria-label=(format!("{label} of {} nodes; tables and documents below say the same", nodes.len())) {
                svg width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) aria-hidden="true" {
                    @for (from, to) in &graph.edges {
                        path.edge d=(curve(&graph.nodes[*from], &graph.nodes[*to])) {}
                    }
                    @for (node, leads) in &nodes {
                        g class=(format!("node {}{}{}", node.kind.class(), if leads.faulty { " bad" } else { "" },
                            if node.missing { " missing" } else { "" }))
                            transform=(format!("translate({},{})", x(node), y(node))) {
                            title { (node.whole) @if node.missing { " (missing)" } @if leads.faulty { " (faulty)" } }
                            @match &leads.to {
                                // By keyboard the same places are reached from the tables.
                                Some(to) => a href=(to) tabindex="-1" { (inside(node, leads)) },
                                None => (inside(node, leads)),
                            }
                        }
                    }
                }
            }
            @if graph.cut { p.more { "The drawing ends at " (NODES) " nodes; the tables have all." } }
        }
    }
}

fn inside(node: &Node, leads: &Leads) -> Markup {
    html! {
        rect width=(WIDTH) height=(HEIGHT) rx="5" {}
        text x="8" y="16" {
            @if leads.faulty { "✗ " } @else if node.missing { "∅ " }
            (node.label)
        }
    }
}

fn x(node: &Node) -> usize {
    node.column * ACROSS + MARGIN
}

fn y(node: &Node) -> usize {
    node.row * DOWN + MARGIN
}

fn curve(from: &Node, to: &Node) -> String {
    let (x1, y1) = (x(from) + WIDTH, y(from) + HEIGHT / 2);
    let (x2, y2) = (x(to), y(to) + HEIGHT / 2);
    let middle = (x1 + x2) / 2;
    format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}")
}

fn short(label: &str) -> String {
    let label = escape_str(label);
    match label.char_indices().nth(LABEL) {
        Some((at, _)) => format!("{}…", &label[..at]),
        None => label.into_owned(),
    }
}
