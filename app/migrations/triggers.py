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

# the ledger of the second release: entries were written anew, and more may not be changed
_KEPT = ("entry_line", "lot_use", "seal")
_BALANCED = """count(*) < 2 OR sum(p.amount) <> 0 OR min(a.unit) <> NEW.unit OR max(a.unit) <> NEW.unit
                OR count(DISTINCT a.programme_id) <> 1"""
_CLOSED = "a.closed AND NEW.kind NOT IN ('expire', 'writeoff', 'release', 'reverse')"
_LEGS = "FROM posting p JOIN account a ON a.id = p.account_id WHERE p.entry_id = NEW.id"
_UNBALANCED = "an entry has at least two postings that sum to zero, in one unit"
_LOT_KEPT = "a lot keeps its entry, its account, its units and its day, and never expires sooner"

LEDGER_OFF = {
    "sqlite": [
        *(f"DROP TRIGGER {name}" for name in ("entry_no_update", "entry_no_delete", "entry_balances")),
        "DROP TRIGGER posting_before_entry",
    ],
    "postgresql": ["DROP TRIGGER entry_no_change ON entry"],
}
LEDGER = {
    "sqlite": [
        *(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} rows are never changed or deleted'); END"
            for table in ("entry", *_KEPT)
            for verb in ("UPDATE", "DELETE")
        ),
        f"""CREATE TRIGGER entry_balances BEFORE INSERT ON entry BEGIN
              SELECT RAISE(ABORT, '{_UNBALANCED}') WHERE (SELECT {_BALANCED} {_LEGS});
              SELECT RAISE(ABORT, 'an account of this entry is closed')
              WHERE EXISTS (SELECT 1 {_LEGS} AND {_CLOSED});
            END""",
        SQLITE[-1],
        f"""CREATE TRIGGER lot_kept BEFORE UPDATE ON lot BEGIN
              SELECT RAISE(ABORT, '{_LOT_KEPT}')
              WHERE NEW.entry_id <> OLD.entry_id OR NEW.account_id <> OLD.account_id OR NEW.original <> OLD.original
                 OR NEW.earned_at <> OLD.earned_at OR NEW.expires_at < OLD.expires_at
                 OR (OLD.expires_at IS NULL AND NEW.expires_at IS NOT NULL);
            END""",
        "CREATE TRIGGER lot_no_delete BEFORE DELETE ON lot "
        "BEGIN SELECT RAISE(ABORT, 'lot rows are never deleted'); END",
    ],
    "postgresql": [
        "CREATE TRIGGER entry_no_change BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        *(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            for table in _KEPT
        ),
        *(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            for table in (*_KEPT, "lot")
        ),
        f"""CREATE OR REPLACE FUNCTION entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
             IF (SELECT {_BALANCED} {_LEGS}) THEN
               RAISE EXCEPTION '{_UNBALANCED}';
             END IF;
             IF EXISTS (SELECT 1 {_LEGS} AND {_CLOSED}) THEN
               RAISE EXCEPTION 'an account of this entry is closed';
             END IF;
             RETURN NEW;
           END $$""",
        f"""CREATE FUNCTION lot_kept() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
             IF NEW.entry_id <> OLD.entry_id OR NEW.account_id <> OLD.account_id OR NEW.original <> OLD.original
                OR NEW.earned_at <> OLD.earned_at OR NEW.expires_at < OLD.expires_at
                OR (OLD.expires_at IS NULL AND NEW.expires_at IS NOT NULL) THEN
               RAISE EXCEPTION '{_LOT_KEPT}';
             END IF;
             RETURN NEW;
           END $$""",
        "CREATE TRIGGER lot_kept BEFORE UPDATE ON lot FOR EACH ROW EXECUTE FUNCTION lot_kept()",
        "CREATE TRIGGER lot_no_delete BEFORE DELETE ON lot FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    ],
}
