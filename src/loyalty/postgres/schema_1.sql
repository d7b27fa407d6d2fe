-- Version 1. Every `@` stands for the quoted name of the schema.

-- What is known now. Nothing here that does not follow from the journal, but for the heads.
create table @.record (
  -- 'm' and a member's account, 'd' and a command, 'b' for the books; in capitals, with a digest, for a long name.
  key bytea primary key,
  -- How often it was committed; 0 for the books before the first time.
  version bigint not null,
  body bytea,
  -- The end of the chain of all commits that changed this record.
  head bytea not null,
  -- Where the key has a digest: what it would be.
  long_key bytea,
  -- Of members only, for people who read: usable points less the debt, and the debt, as of the last entry.
  account text,
  available bigint,
  debt bigint
) with (fillfactor = 85);

-- One row a commit, with all its entries. Rows are written once.
create table @.journal (
  -- The number of the last entry.
  last bigint primary key,
  entries integer not null,
  -- By which a writer that lost its connection knows whether this was its commit.
  token bytea not null,
  hash bytea not null,
  body bytea not null,
  -- The points that moved, for people who read: [entry, at, account, command, change, from, to, points].
  postings json not null
);
alter table @.journal alter column body set storage external;

create table @.person (
  key bytea primary key,
  long_key bytea,
  number bigint not null unique
);

create sequence @.entry_number;
create sequence @.lot_number;
create sequence @.account_number;

insert into @.record (key, version, head) values ('b', 0, '');

create view @.account as
  select account, available, debt from @.record where account is not null;
comment on view @.account is
  'What each account has: usable points less the debt, as of its last entry (what fell due since is booked with the next command)';

create view @.posting as
  select j.last - j.entries + (p.item ->> 0)::bigint as number,
         to_timestamp((p.item ->> 1)::double precision) as at,
         p.item ->> 2 as account,
         p.item ->> 3 as command,
         p.item ->> 4 as change,
         p.item ->> 5 as from_pot,
         p.item ->> 6 as to_pot,
         (p.item ->> 7)::bigint as points
    from @.journal j cross join lateral json_array_elements(j.postings) as p (item);
comment on view @.posting is
  'The double-entry journal: each row takes points from one pot of an account and puts them into another';

-- The next numbers of a sequence, together; the last of them, or null when there are not that many.
-- The lock is held for a moment, not until the commit: writers do not wait for each other's disk.
create function @.take(p_sequence regclass, p_count bigint) returns bigint language plpgsql as $$
declare
  v_last bigint;
begin
  perform pg_advisory_lock(p_sequence::oid::integer, 0);
  v_last := nextval(p_sequence);
  if p_count > 9223372036854775807 - v_last then
    v_last := null;
  elsif p_count > 1 then
    v_last := setval(p_sequence, v_last + (p_count - 1));
  end if;
  perform pg_advisory_unlock(p_sequence::oid::integer, 0);
  return v_last;
end $$;

-- Writes a batch, or raises TN001 when a record has another version than expected, or violates record_pkey when it is
-- there and was expected not to be. All keys are sorted, so that
-- rows are locked in one order. Returns the number of the last entry.
create function @.commit(
  p_books bigint, p_books_change boolean,
  p_keys bytea[], p_versions bigint[], p_bodies bytea[], p_available bigint[], p_debts bigint[],
  p_new_keys bytea[], p_long_keys bytea[], p_accounts text[], p_new_bodies bytea[], p_new_available bigint[], p_new_debts bigint[],
  p_kept_keys bytea[], p_kept_versions bigint[], p_absent_keys bytea[],
  p_entries integer, p_token bytea, p_body bytea, p_postings text
) returns bigint language plpgsql as $$
declare
  v_digest bytea := sha256(p_body);
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
  else
    update @.record r
       set version = k.version + 1, body = k.body, head = sha256(r.head || v_digest), available = k.available, debt = k.debt
      from (select n.version, n.body, n.available, n.debt, f.place
              from unnest(p_keys, p_versions, p_bodies, p_available, p_debts) n (key, version, body, available, debt)
              cross join lateral (select r.ctid as place from @.record r where r.key = n.key and r.version = n.version offset 0) f) k
     where r.ctid = k.place;
  end if;
  get diagnostics v_count = row_count;
  if v_count <> cardinality(p_keys) then
    raise exception using errcode = 'TN001', message = 'a record has moved';
  end if;

  -- Names that were read and must stay absent get a row until the end, which keeps others from making one. A row that is
  -- there already violates the primary key: the batch is turned away, and no index was searched twice.
  if cardinality(p_new_keys) = 1 then
    insert into @.record (key, version, body, head, long_key, account, available, debt)
      values (p_new_keys[1], case when p_new_bodies[1] is null then 0 else 1 end, p_new_bodies[1], sha256(v_digest),
              p_long_keys[1], p_accounts[1], p_new_available[1], p_new_debts[1]);
  else
    insert into @.record (key, version, body, head, long_key, account, available, debt)
      select n.key, case when n.body is null then 0 else 1 end, n.body, sha256(v_digest), n.long_key, n.account, n.available, n.debt
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
