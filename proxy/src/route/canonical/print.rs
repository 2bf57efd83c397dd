//! Writes a parsed routing file: keys in the order of the reference, double quotes, one blank line between tables.

use toml_edit::{ArrayOfTables, Decor, DocumentMut, InlineTable, Item, Key, Table, Value};

use super::comments::has_comment;
use crate::route::keys;

/// Lists that would be longer than this get a line for each item.
const WIDTH: usize = 100;

/// One `[table]` or `[[route]]` with its place in the file.
struct Block<'d> {
    path: Vec<String>,
    table: &'d Table,
    listed: bool,
}

/// The whole text.
pub(super) fn document(document: &DocumentMut) -> String {
    let root = document.as_table();
    let mut blocks = Vec::new();
    collect(root, &[], &mut blocks);
    blocks.sort_by_key(|block| block.table.position());
    let first_value = first_key(root);
    let first = match first_value {
        Some(key) => prefix(key.leaf_decor()),
        None => blocks.first().map_or("", |block| prefix(block.table.decor())),
    };
    let head = split_head(first);
    let mut text =
        if head.is_empty() { String::new() } else { lines(head).join("\n").trim_end().to_owned() + "\n\n" };
    write_values(&mut text, root, &[], first_value.map_or("", |_| head));
    for (number, block) in blocks.iter().enumerate() {
        let head = if number == 0 && first_value.is_none() { head } else { "" };
        write_block(&mut text, block, head);
    }
    write_end(&mut text, document.trailing().as_str().unwrap_or_default());
    text
}

/// The key that stands first in the file, if it stands before all tables.
fn first_key(root: &Table) -> Option<&Key> {
    root.get_values().first().and_then(|(path, _)| path.last().copied())
}

/// Comments at the very top that a blank line parts from what follows: they are about the file, and stay there.
fn split_head(prefix: &str) -> &str {
    let mut end = 0;
    let mut at = 0;
    for line in prefix.split_inclusive('\n') {
        if line.trim().is_empty() && has_comment(&prefix[..at]) {
            end = at;
        }
        at += line.len();
    }
    &prefix[..end]
}

fn collect<'d>(table: &'d Table, path: &[String], blocks: &mut Vec<Block<'d>>) {
    for (name, item) in table {
        let path = [path, &[name.to_owned()]].concat();
        match item {
            Item::Table(inner) => {
                if !inner.is_implicit() && !inner.is_dotted() {
                    blocks.push(Block { path: path.clone(), table: inner, listed: false });
                }
                collect(inner, &path, blocks);
            }
            Item::ArrayOfTables(tables) => collect_list(tables, &path, blocks),
            Item::None | Item::Value(_) => {}
        }
    }
}

fn collect_list<'d>(tables: &'d ArrayOfTables, path: &[String], blocks: &mut Vec<Block<'d>>) {
    for table in tables {
        blocks.push(Block { path: path.to_vec(), table, listed: true });
        collect(table, path, blocks);
    }
}

fn write_block(text: &mut String, block: &Block<'_>, head: &str) {
    let before = prefix(block.table.decor());
    write_comments(text, before.strip_prefix(head).unwrap_or(before));
    let names: Vec<String> = block.path.iter().map(|name| key_text(&Key::new(name))).collect();
    let name = names.join(".");
    text.push_str(&if block.listed { format!("[[{name}]]") } else { format!("[{name}]") });
    write_comment_behind(text, block.table.decor());
    let path: Vec<&str> = block.path.iter().map(String::as_str).collect();
    write_values(text, block.table, &path, "");
}

/// A blank line, and the comments before a table. Those that stand right below the table before, and are parted from
/// what follows, stay with it.
fn write_comments(text: &mut String, before: &str) {
    let lines = lines(before);
    let stays = before.trim_start_matches([' ', '\t']).starts_with('#') && lines.iter().any(String::is_empty);
    if !stays {
        blank_line(text);
    }
    for line in &lines {
        text.push_str(line);
        text.push('\n');
    }
}

fn blank_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with("\n\n") {
        text.push('\n');
    }
}

/// Comments at the end of the file.
fn write_end(text: &mut String, trailing: &str) {
    let lines = lines(trailing);
    if has_comment(trailing) {
        if trailing.starts_with('\n') {
            blank_line(text);
        }
        text.push_str(lines.join("\n").trim_end());
        text.push('\n');
    }
    let end = text.trim_end().len();
    text.truncate(end);
    if !text.is_empty() {
        text.push('\n');
    }
}

/// Comment lines, with one blank line where there were several, and none before the first. What stands before a key in
/// its own line is no line.
fn lines(text: &str) -> Vec<String> {
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    let whole = if text[end..].trim().is_empty() { &text[..end] } else { text };
    let mut lines: Vec<String> = Vec::new();
    for line in whole.lines().map(str::trim) {
        let repeated = lines.last().is_none_or(String::is_empty);
        if !(line.is_empty() && repeated) {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The values of a table, dotted keys included.
fn write_values(text: &mut String, table: &Table, path: &[&str], head: &str) {
    let renamed = path == ["route"] && !table.contains_key("rule");
    for (keys, value) in ordered(table.get_values(), path) {
        let before = keys.last().map_or("", |key| prefix(key.leaf_decor()));
        for line in lines(before.strip_prefix(head).unwrap_or(before)) {
            text.push_str(&line);
            text.push('\n');
        }
        let (name, printed) = assignment(&keys, value, path, renamed);
        text.push_str(&format!("{name} = {printed}"));
        write_comment_behind(text, value.decor());
    }
}

/// Left and right of the equals sign.
fn assignment(keys: &[&Key], value: &Value, path: &[&str], renamed: bool) -> (String, String) {
    let name = key_path(keys);
    if renamed
        && name == "rules"
        && let Some(rule) = single(value)
    {
        return ("rule".to_owned(), print(rule, &[path, &["rule"]].concat(), 0));
    }
    let inner: Vec<&str> = path.iter().copied().chain(keys.iter().map(|key| key.get())).collect();
    let printed = print(value, &inner, name.chars().count() + 3);
    (name, printed)
}

/// The only text of a list.
fn single(value: &Value) -> Option<&Value> {
    let list = value.as_array().filter(|list| list.len() == 1 && !has_comment(&list.to_string()))?;
    list.get(0).filter(|only| only.is_str())
}

fn key_path(keys: &[&Key]) -> String {
    let names: Vec<String> = keys.iter().map(|key| key_text(key)).collect();
    names.join(".")
}

/// A key without quotes, if it needs none.
fn key_text(key: &Key) -> String {
    let repr = key.default_repr();
    repr.as_raw().as_str().unwrap_or_else(|| key.get()).to_owned()
}

/// Values in the order of the reference; what it does not know comes behind, as it came.
fn ordered<'v>(mut values: Vec<(Vec<&'v Key>, &'v Value)>, path: &[&str]) -> Vec<(Vec<&'v Key>, &'v Value)> {
    values.sort_by_key(|(keys, _)| {
        let mut place = path.to_vec();
        let mut ranks = Vec::new();
        for key in keys {
            ranks.push(rank(&place, key.get()));
            place.push(key.get());
        }
        ranks
    });
    values
}

/// The place of a key in its table.
fn rank(table: &[&str], key: &str) -> usize {
    let known = keys::of(table).unwrap_or_default();
    known.iter().position(|name| *name == key).unwrap_or(known.len())
}

fn write_comment_behind(text: &mut String, decor: &Decor) {
    let comment = decor.suffix().and_then(|raw| raw.as_str()).unwrap_or_default().trim();
    if !comment.is_empty() {
        text.push_str("  ");
        text.push_str(comment);
    }
    text.push('\n');
}

fn prefix(decor: &Decor) -> &str {
    decor.prefix().and_then(|raw| raw.as_str()).unwrap_or_default()
}

/// A value that begins in this column. What holds comments stays as it was written.
fn print(value: &Value, path: &[&str], column: usize) -> String {
    let mut bare = value.clone();
    bare.decor_mut().clear();
    let written = bare.to_string();
    match value {
        Value::String(text) => quoted(text.value()),
        _ if has_comment(&written) => written,
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(|item| print(item, path, 0)).collect();
            list_of(&items, column)
        }
        Value::InlineTable(table) => inline(table, path, column),
        _ => written,
    }
}

fn list_of(items: &[String], column: usize) -> String {
    let line = format!("[{}]", items.join(", "));
    if items.is_empty() || (!line.contains('\n') && column + line.chars().count() <= WIDTH) {
        return line;
    }
    format!("[\n  {},\n]", items.join(",\n  "))
}

fn inline(table: &InlineTable, path: &[&str], column: usize) -> String {
    let mut at = column + 2;
    let mut parts = Vec::new();
    for (keys, value) in ordered(table.get_values(), path) {
        let inner: Vec<&str> = path.iter().copied().chain(keys.iter().map(|key| key.get())).collect();
        let name = key_path(&keys);
        let part = format!("{name} = {}", print(value, &inner, at + name.chars().count() + 3));
        at += part.chars().count() + 2;
        parts.push(part);
    }
    if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
}

/// Double quotes; single ones where the others would need escapes.
fn quoted(text: &str) -> String {
    let plain = |c: char| !c.is_control();
    if text.chars().all(|c| plain(c) && c != '"' && c != '\\') {
        format!("\"{text}\"")
    } else if text.chars().all(|c| plain(c) && c != '\'') {
        format!("'{text}'")
    } else {
        Value::from(text).to_string()
    }
}
