//! Flask-SQLAlchemy's `Pagination`, without the query.

use std::sync::Arc;

use minijinja::value::{Kwargs, Object, Rest, from_args};
use minijinja::{Error, ErrorKind, State, Value};

/// One page of a list: `items`, `page`, `pages`, `per_page`, `total`, `has_prev`, `prev_num`, `has_next`, `next_num`,
/// `iter_pages()`; `first` and `last` as in Flask-SQLAlchemy 3.
#[derive(Debug, Clone)]
pub struct Pagination {
    items: Value,
    page: u64,
    per_page: u64,
    total: u64,
    version_3: bool,
}

impl Pagination {
    /// Page number `page` (from 1) of `total` items.
    #[must_use]
    pub fn new(items: Value, page: u64, per_page: u64, total: u64) -> Self {
        Self { items, page, per_page, total, version_3: false }
    }

    /// `pagination.pages`.
    #[must_use]
    pub fn pages(&self) -> u64 {
        if self.per_page == 0 { 0 } else { self.total.div_ceil(self.per_page) }
    }

    /// Follows Flask-SQLAlchemy 3 instead of 2, where `right_current` counts the pages behind the current one.
    #[must_use]
    pub fn like_version_3(mut self) -> Self {
        self.version_3 = true;
        self
    }

    /// `iter_pages(left_edge=2, left_current=2, right_current=5, right_edge=2)`, in version 3 with 4 for `right_current`.
    /// `None` is a gap.
    #[must_use]
    pub fn iter_pages(&self, edges: PageEdges) -> Vec<Option<u64>> {
        let pages = self.pages();
        let after = self.page.saturating_add(edges.right_current).saturating_add(u64::from(self.version_3));
        let before = self.page.saturating_sub(edges.left_current);
        let mut shown = Vec::new();
        let mut last = 0;
        for number in 1..=pages {
            let current = number >= before && number < after;
            if number <= edges.left_edge || current || number > pages.saturating_sub(edges.right_edge) {
                if last + 1 != number {
                    shown.push(None);
                }
                shown.push(Some(number));
                last = number;
            }
        }
        // Version 3 marks the gap at the end as well.
        if self.version_3 && last != pages {
            shown.push(None);
        }
        shown
    }
}

/// How many pages [`Pagination::iter_pages`] shows around what.
#[derive(Debug, Clone, Copy)]
pub struct PageEdges {
    /// At the start.
    pub left_edge: u64,
    /// Before the current page.
    pub left_current: u64,
    /// From the current page on.
    pub right_current: u64,
    /// At the end.
    pub right_edge: u64,
}

impl Object for Pagination {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (has_prev, has_next) = (self.page > 1, self.page < self.pages());
        Some(match key.as_str()? {
            "items" => self.items.clone(),
            "page" => Value::from(self.page),
            "per_page" => Value::from(self.per_page),
            "total" => Value::from(self.total),
            "pages" => Value::from(self.pages()),
            "has_prev" => Value::from(has_prev),
            "has_next" => Value::from(has_next),
            "prev_num" => Value::from(has_prev.then(|| self.page - 1)),
            "next_num" => Value::from(has_next.then(|| self.page + 1)),
            "first" => {
                Value::from(if self.items.is_true() { (self.page - 1) * self.per_page + 1 } else { 0 })
            }
            "last" => Value::from(
                (self.page.saturating_sub(1)) * self.per_page + self.items.len().unwrap_or(0) as u64,
            ),
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if method != "iter_pages" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let (places, named): (Rest<u64>, Kwargs) = from_args(args)?;
        let pick = |at: usize, name: &str, default: u64| -> Result<u64, Error> {
            let given: Option<u64> = named.get(name)?;
            Ok(places.get(at).copied().or(given).unwrap_or(default))
        };
        let edges = PageEdges {
            left_edge: pick(0, "left_edge", 2)?,
            left_current: pick(1, "left_current", 2)?,
            right_current: pick(2, "right_current", if self.version_3 { 4 } else { 5 })?,
            right_edge: pick(3, "right_edge", 2)?,
        };
        named.assert_all_used()?;
        Ok(self.iter_pages(edges).into_iter().map(Value::from).collect())
    }
}
