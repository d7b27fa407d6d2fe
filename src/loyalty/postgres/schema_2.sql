-- Version 2. Every `@` stands for the quoted name of the schema.

-- As in version 1, and told where the rows of `p_keys` lie, or null; a place at which another row lies by now, or another
-- version of it, is as if the record had moved. A row that somebody changed while this waited for it is looked
-- at again, its version too: servers before the minor releases of late 2025 do not look at its place.
create function @.commit(
  p_books bigint, p_books_change boolean,
  p_keys bytea[], p_versions bigint[], p_places tid[], p_bodies bytea[], p_available bigint[], p_debts bigint[],
  p_new_keys bytea[], p_long_keys bytea[], p_accounts text[], p_new_bodies bytea[], p_new_available bigint[], p_new_debts bigint[],
  p_kept_keys bytea[], p_kept_versions bigint[], p_absent_keys bytea[],
  p_entries integer, p_token bytea, p_body bytea, p_postings text
) returns bigint language plpgsql as $$
declare
  v_digest bytea := sha256(p_body);
  -- The head of every record that begins with this commit.
  v_head bytea := sha256(v_digest);
  v_last bigint;
  v_count bigint;
begin
  -- The gate: commits pass it together, unless they change the books that every other one has read.
  if p_books_change then
    perform pg_advisory_xact_lock('@.journal'::regclass::oid::integer, 1);
  else
    perform pg_advisory_xact_lock_shared('@.journal'::regclass::oid::integer, 1);
  end if;
  if p_books is not null and p_books is distinct from (select r.version from @.record r where r.key = 'b') then
    raise exception using errcode = 'TN001', message = 'the books have moved';
  end if;

  if cardinality(p_kept_keys) > 0 then
    -- Also what is changed below, for the order of the locks.
    select count(*) into v_count
      from (select k.key, k.version from unnest(p_keys || p_kept_keys, p_versions || p_kept_versions) k (key, version)
             order by k.key) k
      cross join lateral (select 1 from @.record r where r.key = k.key and r.version = k.version offset 0 for update) r;
    if v_count <> cardinality(p_keys) + cardinality(p_kept_keys) then
      raise exception using errcode = 'TN001', message = 'a record has moved';
    end if;
  end if;

  -- One record is the common case, and its plan is cheaper than that for many.
  if cardinality(p_keys) = 1 then
    update @.record r
       set version = r.version + 1, body = p_bodies[1], head = sha256(r.head || v_digest),
           available = p_available[1], debt = p_debts[1]
     where r.key = p_keys[1] and r.version = p_versions[1];
  elsif p_places is not null then
    -- Names are compared in a way that no index serves: the rows are looked up by their places.
    update @.record r
       set version = k.version + 1, body = k.body, head = sha256(r.head || v_digest), available = k.available, debt = k.debt
      from unnest(p_keys, p_versions, p_places, p_bodies, p_available, p_debts)
             k (key, version, place, body, available, debt)
     where r.ctid = k.place and r.key is not distinct from k.key and r.version = k.version;
  else
    update @.record r
       set version = k.version + 1, body = k.body, head = sha256(r.head || v_digest), available = k.available, debt = k.debt
      from (select n.version, n.body, n.available, n.debt, f.place
              from unnest(p_keys, p_versions, p_bodies, p_available, p_debts) n (key, version, body, available, debt)
              cross join lateral (select r.ctid as place from @.record r where r.key = n.key and r.version = n.version offset 0) f) k
     where r.ctid = k.place and r.version = k.version;
  end if;
  get diagnostics v_count = row_count;
  if v_count <> cardinality(p_keys) then
    raise exception using errcode = 'TN001', message = 'a record has moved';
  end if;

  -- Names that were read and must stay absent get a row until the end, which keeps others from making one. A row that is
  -- there already violates the primary key: the batch is turned away, and no index was searched twice.
  if cardinality(p_new_keys) = 1 then
    insert into @.record (key, version, body, head, long_key, account, available, debt)
      values (p_new_keys[1], case when p_new_bodies[1] is null then 0 else 1 end, p_new_bodies[1], v_head,
              p_long_keys[1], p_accounts[1], p_new_available[1], p_new_debts[1]);
  else
    insert into @.record (key, version, body, head, long_key, account, available, debt)
      select n.key, case when n.body is null then 0 else 1 end, n.body, v_head, n.long_key, n.account, n.available, n.debt
        from unnest(p_new_keys, p_long_keys, p_accounts, p_new_bodies, p_new_available, p_new_debts)
          n (key, long_key, account, body, available, debt);
  end if;
  if cardinality(p_absent_keys) > 0 then
    delete from @.record r where r.key = any (p_absent_keys);
  end if;

  v_last := @.take('@.entry_number', p_entries);
  if v_last is null then
    raise exception using errcode = 'TN002', message = 'the journal has no more numbers';
  end if;
  insert into @.journal (last, entries, token, hash, body, postings)
    values (v_last, p_entries, p_token, sha256(int8send(v_last) || v_digest), p_body, p_postings::json);
  return v_last;
end $$;

-- For writers of version 1 that were already at work when the schema was brought to this one.
create or replace function @.commit(
  p_books bigint, p_books_change boolean,
  p_keys bytea[], p_versions bigint[], p_bodies bytea[], p_available bigint[], p_debts bigint[],
  p_new_keys bytea[], p_long_keys bytea[], p_accounts text[], p_new_bodies bytea[], p_new_available bigint[], p_new_debts bigint[],
  p_kept_keys bytea[], p_kept_versions bigint[], p_absent_keys bytea[],
  p_entries integer, p_token bytea, p_body bytea, p_postings text
) returns bigint language plpgsql as $$
begin
  return @.commit(
    p_books, p_books_change, p_keys, p_versions, null, p_bodies, p_available, p_debts,
    p_new_keys, p_long_keys, p_accounts, p_new_bodies, p_new_available, p_new_debts,
    p_kept_keys, p_kept_versions, p_absent_keys, p_entries, p_token, p_body, p_postings);
end $$;
