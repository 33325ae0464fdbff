"""What the database itself refuses: changed or deleted entries, and entries that do not balance."""

APPEND_ONLY = ("entry", "posting", "audit_event", "consent")

SQLITE = [
    *(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} rows are never changed or deleted'); END"
        for table in APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    ),
    """CREATE TRIGGER entry_balances BEFORE INSERT ON entry BEGIN
         SELECT RAISE(ABORT, 'an entry has at least two postings that sum to zero, in one unit')
         WHERE (SELECT count(*) < 2 OR sum(p.amount) <> 0 OR min(a.unit) <> NEW.unit OR max(a.unit) <> NEW.unit
                FROM posting p JOIN account a ON a.id = p.account_id WHERE p.entry_id = NEW.id);
       END""",
    """CREATE TRIGGER posting_before_entry BEFORE INSERT ON posting BEGIN
         SELECT RAISE(ABORT, 'postings cannot be added to an entry that is written')
         WHERE EXISTS (SELECT 1 FROM entry WHERE id = NEW.entry_id);
       END""",
]

POSTGRES = [
    """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION '% rows are never changed or deleted', TG_TABLE_NAME; END $$""",
    *(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        for table in APPEND_ONLY
    ),
    *(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for table in APPEND_ONLY
    ),
    """CREATE FUNCTION entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF (SELECT count(*) < 2 OR sum(p.amount) <> 0 OR min(a.unit) <> NEW.unit OR max(a.unit) <> NEW.unit
             FROM posting p JOIN account a ON a.id = p.account_id WHERE p.entry_id = NEW.id) THEN
           RAISE EXCEPTION 'an entry has at least two postings that sum to zero, in one unit';
         END IF;
         RETURN NEW;
       END $$""",
    "CREATE TRIGGER entry_balances BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION entry_balances()",
    """CREATE FUNCTION posting_before_entry() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF EXISTS (SELECT 1 FROM entry WHERE id = NEW.entry_id) THEN
           RAISE EXCEPTION 'postings cannot be added to an entry that is written';
         END IF;
         RETURN NEW;
       END $$""",
    "CREATE TRIGGER posting_before_entry BEFORE INSERT ON posting FOR EACH ROW EXECUTE FUNCTION posting_before_entry()",
]
