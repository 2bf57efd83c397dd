//! The list of customers: filters and order, from the query string (`crm/blueprints/customers/queries.py`).

use flask_compat::python;
use flask_compat::url::Pairs;
use serde::Serialize;

use crate::crm::customer::{Order, STATUSES, Selection};

/// What the list shows, under the names that the template uses. Values that make no sense count as not given.
#[derive(Debug, Serialize)]
pub(super) struct ListFilter {
    q: String,
    status: String,
    owner_id: Option<i64>,
    industry: String,
    sort: &'static str,
    direction: &'static str,
}

const SORTS: [(&str, Order); 5] = [
    ("name", Order::Name),
    ("status", Order::Status),
    ("city", Order::City),
    ("revenue", Order::Revenue),
    ("created", Order::Created),
];

impl ListFilter {
    /// Reads the query string. `None`: an owner that only Python can count to; Flask knows what PostgreSQL says to that.
    pub(super) fn read(args: &Pairs) -> Option<Self> {
        let text = |name: &str| args.get(name).unwrap_or_default();
        let owner_id = match args.get("owner").and_then(python::int) {
            Some(number) => Some(number.to_i64()?),
            None => None,
        };
        Some(Self {
            q: python::strip(text("q")).to_owned(),
            status: STATUSES
                .into_iter()
                .find(|status| *status == text("status"))
                .unwrap_or_default()
                .to_owned(),
            owner_id,
            industry: text("industry").to_owned(),
            sort: SORTS.iter().find(|(name, _)| *name == text("sort")).map_or("name", |(name, _)| name),
            direction: if text("dir") == "desc" { "desc" } else { "asc" },
        })
    }

    /// The same for the database.
    pub(super) fn selection(&self) -> Selection {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Selection {
            text: self.q.clone(),
            status: given(&self.status),
            hide_archived: true,
            owner_id: self.owner_id,
            industry: given(&self.industry),
            order: SORTS.iter().find(|(name, _)| *name == self.sort).map_or(Order::Name, |(_, order)| *order),
            descending: self.direction == "desc",
        }
    }

    /// The query parameters of the filters alone, for links that change the order.
    pub(super) fn filters(&self) -> Vec<(&'static str, String)> {
        let owner = self.owner_id.map(|id| id.to_string()).unwrap_or_default();
        let all = [
            ("q", self.q.clone()),
            ("status", self.status.clone()),
            ("owner", owner),
            ("industry", self.industry.clone()),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// All query parameters but the page, for links to other pages.
    pub(super) fn args(&self) -> Vec<(&'static str, String)> {
        let mut args = self.filters();
        if self.sort != "name" || self.direction != "asc" {
            args.push(("sort", self.sort.to_owned()));
            args.push(("dir", self.direction.to_owned()));
        }
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> ListFilter {
        let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ListFilter::read(&Pairs(pairs)).unwrap()
    }

    #[test]
    fn nonsense_counts_as_not_given() {
        let filter = read(&[("status", "bogus"), ("owner", "rita"), ("sort", "password"), ("dir", "up")]);
        assert!(filter.args().is_empty());
        assert_eq!(filter.selection().order, Order::Name);
    }

    #[test]
    fn links_keep_what_was_asked_for() {
        let filter = read(&[("q", " a "), ("owner", "3"), ("sort", "name"), ("dir", "desc")]);
        let expected =
            [("q", "a"), ("owner", "3"), ("sort", "name"), ("dir", "desc")].map(|(n, v)| (n, v.to_owned()));
        assert_eq!(filter.args(), expected);
    }
}
