//! Customers (`crm/models/customer.py`): one row, one page of a list, a new row.
//!
//! What Flask computes with a query per row (owner, number of contacts, total of open deals) comes with the rows here.

use chrono::NaiveDateTime;
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder, Row, postgres::PgRow};

use super::search::contains_pattern;
use super::user::{Person, User};

/// Statuses, in the order in which pages offer them.
pub const STATUSES: [&str; 4] = ["lead", "active", "inactive", "archived"];

/// Industries, in the order in which pages offer them.
pub const INDUSTRIES: [&str; 13] = [
    "Agriculture",
    "Construction",
    "Education",
    "Energy",
    "Finance",
    "Food & Drink",
    "Healthcare",
    "Logistics",
    "Manufacturing",
    "Media",
    "Retail",
    "Software",
    "Travel",
];

/// A customer with what lists and pages show of it.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the fields are the columns of the table")]
pub struct Customer {
    pub id: i32,
    pub name: String,
    pub industry: Option<String>,
    pub status: String,
    pub city: Option<String>,
    pub country: Option<String>,
    pub website: Option<String>,
    pub phone: Option<String>,
    pub annual_revenue: Option<Decimal>,
    pub notes: Option<String>,
    pub owner: Person,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
    pub archived_at: Option<NaiveDateTime>,
    /// How many contacts it has.
    pub contact_count: i64,
    /// Sum of its open deals.
    pub open_deal_total: Decimal,
}

impl sqlx::FromRow<'_, PgRow> for Customer {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            industry: row.try_get("industry")?,
            status: row.try_get("status")?,
            city: row.try_get("city")?,
            country: row.try_get("country")?,
            website: row.try_get("website")?,
            phone: row.try_get("phone")?,
            annual_revenue: row.try_get("annual_revenue")?,
            notes: row.try_get("notes")?,
            owner: Person { id: row.try_get("owner_id")?, name: row.try_get("owner_name")? },
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            archived_at: row.try_get("archived_at")?,
            contact_count: row.try_get("contact_count")?,
            open_deal_total: row.try_get("open_deal_total")?,
        })
    }
}

const SELECT: &str = "SELECT c.*, u.name AS owner_name, \
    (SELECT count(*) FROM contacts k WHERE k.customer_id = c.id) AS contact_count, \
    (SELECT coalesce(sum(d.amount), 0) FROM deals d JOIN deal_stages s ON s.id = d.stage_id \
     WHERE d.customer_id = c.id AND s.status = 'open') AS open_deal_total \
    FROM customers c JOIN users u ON u.id = c.owner_id";

/// The customer with this id, whoever owns it.
///
/// # Errors
/// When the database does not answer.
pub async fn find(pool: &PgPool, id: i32) -> sqlx::Result<Option<Customer>> {
    QueryBuilder::<Postgres>::new(SELECT)
        .push(" WHERE c.id = ")
        .push_bind(id)
        .build_query_as()
        .fetch_optional(pool)
        .await
}

/// The column a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the columns")]
pub enum Order {
    Id,
    Name,
    Status,
    City,
    Revenue,
    Created,
}

impl Order {
    fn column(self) -> &'static str {
        match self {
            Self::Id => "c.id",
            Self::Name => "c.name",
            Self::Status => "c.status",
            Self::City => "c.city",
            Self::Revenue => "c.annual_revenue",
            Self::Created => "c.created_at",
        }
    }
}

/// Which customers a list shows, and in which order.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Text in name, city or website; empty: any.
    pub text: String,
    /// This status only.
    pub status: Option<String>,
    /// Without archived ones (when no status is asked for).
    pub hide_archived: bool,
    /// This owner only; an id that no row can have selects nothing.
    pub owner_id: Option<i64>,
    /// This industry only.
    pub industry: Option<String>,
    /// The order; ties by id.
    pub order: Order,
    /// Whether the order is reversed.
    pub descending: bool,
}

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// Its customers.
    pub items: Vec<Customer>,
    /// How many there are on all pages.
    pub total: i64,
}

impl Selection {
    /// The customers on one page that `user` may see.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn page(&self, pool: &PgPool, user: &User, per_page: i64, offset: i64) -> sqlx::Result<Page> {
        let mut count = QueryBuilder::new("SELECT count(*) FROM customers c");
        self.push_where(&mut count, user);
        let mut rows = QueryBuilder::new(SELECT);
        self.push_where(&mut rows, user);
        let direction = if self.descending { " DESC" } else { " ASC" };
        rows.push(" ORDER BY ").push(self.order.column()).push(direction);
        rows.push(", c.id").push(direction);
        rows.push(" LIMIT ").push_bind(per_page).push(" OFFSET ").push_bind(offset);
        let total = count.build_query_scalar().fetch_one(pool).await?;
        Ok(Page { items: rows.build_query_as().fetch_all(pool).await?, total })
    }

    fn push_where(&self, sql: &mut QueryBuilder<Postgres>, user: &User) {
        sql.push(" WHERE true");
        if !user.sees_everything() {
            // The same type as the owner that was asked for: equal texts share one prepared statement.
            sql.push(" AND c.owner_id = ").push_bind(i64::from(user.id));
        }
        if !self.text.is_empty() {
            let pattern = contains_pattern(&self.text);
            for (column, before) in [("c.name", " AND ("), ("c.city", " OR "), ("c.website", " OR ")] {
                sql.push(before).push(column).push(" ILIKE ").push_bind(pattern.clone()).push(r" ESCAPE '\'");
            }
            sql.push(")");
        }
        if let Some(status) = &self.status {
            sql.push(" AND c.status = ").push_bind(status.clone());
        } else if self.hide_archived {
            sql.push(" AND c.status <> 'archived'");
        }
        if let Some(owner_id) = self.owner_id {
            sql.push(" AND c.owner_id = ").push_bind(owner_id);
        }
        if let Some(industry) = &self.industry {
            sql.push(" AND c.industry = ").push_bind(industry.clone());
        }
    }
}

/// A customer that is not in the database yet.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are the columns of the table")]
pub struct NewCustomer {
    pub name: String,
    pub status: String,
    pub industry: Option<String>,
    pub city: Option<String>,
    pub country: Option<String>,
    pub website: Option<String>,
    pub phone: Option<String>,
    pub annual_revenue: Option<Decimal>,
    pub owner_id: i32,
    pub notes: Option<String>,
}

/// Adds a customer; the caller commits. Returns its id.
///
/// # Errors
/// When the database refuses it.
pub async fn insert(
    connection: &mut PgConnection,
    new: &NewCustomer,
    now: NaiveDateTime,
) -> sqlx::Result<i32> {
    sqlx::query_scalar(
        "INSERT INTO customers (name, status, industry, city, country, website, phone, annual_revenue, owner_id, \
         notes, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING id",
    )
    .bind(&new.name)
    .bind(&new.status)
    .bind(&new.industry)
    .bind(&new.city)
    .bind(&new.country)
    .bind(&new.website)
    .bind(&new.phone)
    .bind(new.annual_revenue)
    .bind(new.owner_id)
    .bind(&new.notes)
    .bind(now)
    .fetch_one(connection)
    .await
}
