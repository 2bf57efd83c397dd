//! The tables, in a schema of their own so that they meet nobody else's, and how they came to be. Rows are only ever added,
//! but for those that say who is there and how often each route was asked; triggers refuse everything else.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

/// The form that this version writes.
const FORM: i32 = FORMS.len() as i32;

/// Two numbers that nobody else locks: `ficu`, and what for.
pub(super) const LOCK_SCHEMA: &str = "SELECT pg_advisory_xact_lock(1718182773, 1)";
pub(super) const LOCK_REVISIONS: &str = "SELECT pg_advisory_xact_lock(1718182773, 2)";
/// Begins to make a revision, in one question.
pub(super) const BEGIN_REVISION: &str = "BEGIN; SELECT pg_advisory_xact_lock(1718182773, 2)";

/// What makes each form of the one before it.
const FORMS: &[&str] = &[REVISIONS, TALLIES];

const REVISIONS: &str = "
    CREATE TABLE ficus.chain (
        seq bigint PRIMARY KEY,
        prev text NOT NULL,
        digest text NOT NULL,
        record text NOT NULL
    );
    CREATE TABLE ficus.routing_file (
        hash text PRIMARY KEY,
        text text NOT NULL
    );
    CREATE TABLE ficus.revision (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        number bigint NOT NULL,
        made_at timestamptz NOT NULL,
        node text NOT NULL,
        author text NOT NULL,
        reason text,
        action text NOT NULL,
        hash text NOT NULL,
        pins text NOT NULL,
        digest text NOT NULL,
        of_fleet boolean NOT NULL,
        UNIQUE (number, made_at, node)
    );
    CREATE UNIQUE INDEX revision_of_fleet ON ficus.revision (number) WHERE of_fleet;
    CREATE TABLE ficus.change (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        revision bigint NOT NULL REFERENCES ficus.revision (id),
        route text NOT NULL,
        before text NOT NULL,
        after text NOT NULL
    );
    CREATE INDEX change_route ON ficus.change (route, revision);
    CREATE INDEX change_revision ON ficus.change (revision);
    CREATE TABLE ficus.node (
        name text PRIMARY KEY,
        version text NOT NULL,
        running bigint NOT NULL,
        digest text NOT NULL,
        trouble text,
        started timestamptz NOT NULL,
        heard timestamptz NOT NULL,
        poll_ms bigint NOT NULL
    );
    CREATE TABLE ficus.incident (
        number bigint NOT NULL,
        node text NOT NULL,
        record text NOT NULL,
        PRIMARY KEY (number, node)
    );
    CREATE SEQUENCE ficus.incident_number;
    CREATE FUNCTION ficus.stays() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME; END $$;
    CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ficus.chain
        FOR EACH STATEMENT EXECUTE FUNCTION ficus.stays();
    CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ficus.routing_file
        FOR EACH STATEMENT EXECUTE FUNCTION ficus.stays();
    CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ficus.revision
        FOR EACH STATEMENT EXECUTE FUNCTION ficus.stays();
    CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ficus.change
        FOR EACH STATEMENT EXECUTE FUNCTION ficus.stays();
";

/// How often each route was asked on each node, as the nodes tell; without anything of anybody.
const TALLIES: &str = "
    CREATE TABLE ficus.tally (
        node text NOT NULL,
        route text NOT NULL,
        backend text NOT NULL,
        day date NOT NULL,
        calls bigint NOT NULL,
        errors bigint NOT NULL,
        fallbacks bigint NOT NULL,
        defers bigint NOT NULL,
        writes bigint NOT NULL,
        sessions bigint NOT NULL,
        micros bigint NOT NULL,
        last_at timestamptz NOT NULL,
        PRIMARY KEY (node, route, backend, day)
    );
    CREATE TABLE ficus.tally_day (
        node text NOT NULL,
        day date NOT NULL,
        PRIMARY KEY (node, day)
    );
    CREATE TABLE ficus.tally_node (
        node text PRIMARY KEY,
        mark timestamptz NOT NULL,
        told timestamptz NOT NULL
    );
";

/// Makes what is missing. Nodes that start at the same time wait for each other; one of an older ficus than the tables
/// leaves them alone.
pub(super) async fn bring_up(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if form(connection).await? == Some(FORM) {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    sqlx::query(LOCK_SCHEMA).execute(&mut *transaction).await?;
    let found = form(&mut transaction).await?;
    if found.is_some_and(|found| found > FORM) {
        let message = format!(
            "the shared store was written by a newer ficus (form {}, this one knows {FORM})",
            found.unwrap_or_default()
        );
        return Err(sqlx::Error::Configuration(message.into()));
    }
    if found.is_none() {
        sqlx::raw_sql(
            "CREATE SCHEMA IF NOT EXISTS ficus; CREATE TABLE IF NOT EXISTS ficus.form (version integer NOT NULL);
             INSERT INTO ficus.form SELECT 0 WHERE NOT EXISTS (SELECT FROM ficus.form)",
        )
        .execute(&mut *transaction)
        .await?;
    }
    let done = usize::try_from(found.unwrap_or_default()).unwrap_or_default();
    for form in FORMS.iter().skip(done) {
        sqlx::raw_sql(*form).execute(&mut *transaction).await?;
    }
    sqlx::query("UPDATE ficus.form SET version = $1").bind(FORM).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// The form of the tables; absent: there are none.
async fn form(connection: &mut PgConnection) -> Result<Option<i32>, sqlx::Error> {
    let there: bool = sqlx::query("SELECT to_regclass('ficus.form') IS NOT NULL AS there")
        .fetch_one(&mut *connection)
        .await?
        .try_get("there")?;
    if !there {
        return Ok(None);
    }
    let row = sqlx::query("SELECT version FROM ficus.form").fetch_optional(&mut *connection).await?;
    row.map(|row| row.try_get("version")).transpose()
}
