//! What `ficus capture install` puts into the application's database: one schema of ours, and a trigger on each table.

/// In this order; each may be run again.
pub(super) const SCHEMA: &[&str] = &[
    "CREATE SCHEMA IF NOT EXISTS ficus_capture",
    // Unlogged: what is captured is gone a moment later, and must reach neither replicas nor backups.
    "CREATE UNLOGGED TABLE IF NOT EXISTS ficus_capture.row_change (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        request text NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        change jsonb
    )",
    "CREATE INDEX IF NOT EXISTS row_change_request ON ficus_capture.row_change (request, id)",
    "CREATE INDEX IF NOT EXISTS row_change_at ON ficus_capture.row_change (at)",
    SLIM,
    NOTE,
    ROWS,
    // Whoever changes rows runs the trigger; what it may do it does as the owner of this schema.
    "GRANT USAGE ON SCHEMA ficus_capture TO PUBLIC",
    "REVOKE ALL ON ficus_capture.row_change FROM PUBLIC",
];

/// Large values are kept by their hash: equal ones are still equal.
const SLIM: &str = "CREATE OR REPLACE FUNCTION ficus_capture.slim(whole jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(key, CASE WHEN length(value::text) > 8192
        THEN to_jsonb('md5:' || md5(value::text)) ELSE value END), '{}'::jsonb)
    FROM jsonb_each(whole)
$$";

/// The trigger. A change beyond the thousandth of a transaction, and one that cannot be written down, leaves a row without
/// content: then it is known that not everything is there. Nothing that goes wrong here reaches the application.
const NOTE: &str = "CREATE OR REPLACE FUNCTION ficus_capture.note() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request text := current_setting('ficus.request', true);
    number integer;
    was jsonb;
    is_now jsonb;
    row_key jsonb;
    name text := CASE WHEN TG_TABLE_SCHEMA = 'public' THEN '' ELSE TG_TABLE_SCHEMA || '.' END || TG_TABLE_NAME;
BEGIN
    IF request IS NULL OR request !~ '^[0-9a-f]{32}$' THEN
        RETURN NULL;
    END IF;
    number := coalesce(nullif(current_setting('ficus.rows', true), ''), '0')::integer + 1;
    PERFORM set_config('ficus.rows', number::text, true);
    IF number > 1001 THEN
        RETURN NULL;
    END IF;
    IF number = 1001 THEN
        INSERT INTO ficus_capture.row_change (request) VALUES (request);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        was := ficus_capture.slim(to_jsonb(OLD));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        is_now := ficus_capture.slim(to_jsonb(NEW));
    END IF;
    row_key := (SELECT coalesce(jsonb_object_agg(part, coalesce(was, is_now) -> part), '{}'::jsonb)
                FROM unnest(TG_ARGV) AS part);
    INSERT INTO ficus_capture.row_change (request, change) VALUES (request, jsonb_build_object(
        'table', name, 'op', lower(TG_OP), 'key', row_key, 'before', was, 'after', is_now));
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    BEGIN
        INSERT INTO ficus_capture.row_change (request) VALUES (request);
    EXCEPTION WHEN OTHERS THEN
        RAISE LOG 'ficus_capture: a change of % was not captured', name;
    END;
    RETURN NULL;
END
$$";

/// The rows of the request that the transaction belongs to, and of no other: for dry runs.
const ROWS: &str = "CREATE OR REPLACE FUNCTION ficus_capture.rows(after bigint) RETURNS text
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object(
        'last', max(id),
        'complete', coalesce(bool_and(change IS NOT NULL), true),
        'rows', coalesce(jsonb_agg(change ORDER BY id) FILTER (WHERE change IS NOT NULL), '[]'::jsonb))::text
    FROM ficus_capture.row_change
    WHERE request = current_setting('ficus.request', true) AND id > rows.after
$$";

/// The application's tables, the columns of their primary keys, and the definition of our trigger where there is one.
/// Partitions have the trigger of the table they belong to.
pub(super) const TABLES: &str = "SELECT n.nspname AS schema, c.relname AS name,
    ARRAY(SELECT a.attname::text FROM pg_index i
          CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
          WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place) AS key,
    (SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t
     WHERE t.tgrelid = c.oid AND t.tgname = 'zz_ficus_capture') AS trigger,
    coalesce((SELECT t.tgenabled <> 'D' FROM pg_trigger t
     WHERE t.tgrelid = c.oid AND t.tgname = 'zz_ficus_capture'), false) AS enabled
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'ficus_capture')
    AND n.nspname !~ '^pg_'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2";

/// Foreign keys, column by column.
pub(super) const REFERENCES: &str =
    "SELECT n.nspname, c.relname, a.attname, fn.nspname, fc.relname, fa.attname
FROM pg_constraint k
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair (here, there)
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.here
JOIN pg_class fc ON fc.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace
JOIN pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = pair.there
WHERE k.contype = 'f'";

/// Columns that the database fills with an id.
pub(super) const GENERATED: &str = "SELECT n.nspname, c.relname, a.attname
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'
    AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) ~ '(nextval|gen_random_uuid|uuid_generate)')";

/// The names of all tables.
pub(super) const NAMES: &str = "SELECT n.nspname, c.relname FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'";

/// Takes the rows of a request away.
pub(super) const TAKE: &str =
    "DELETE FROM ficus_capture.row_change WHERE request = $1 RETURNING id, change::text AS change";

/// Removes what nobody took.
pub(super) const SWEEP: &str =
    "DELETE FROM ficus_capture.row_change WHERE at < clock_timestamp() - make_interval(secs => $1)";
