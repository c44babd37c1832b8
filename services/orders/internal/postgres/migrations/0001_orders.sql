-- The whole shape of an order, made at once. Every column here belongs to a row that will exist two hundred thousand times and more:
-- adding one later, filled, would rewrite them all and lock the call centre out meanwhile. So the columns of work that is still to be
-- written (calls, duplicates, the courier's mirror, claims) stand here from the first day; what is only additive (a table of daily
-- figures, tombstones) comes with its own migration. Safe while old code runs: there is no older code.
--
-- Three axes are kept apart and never folded into one (lesson P25): our `status`, what the shop says (`upstream_state`, `meaning`), and what
-- the courier says (`courier_*`). Money is exact integer minor units with a currency (lesson P61). Times are UTC instants; which business day
-- an instant belongs to is decided by whoever asks, with the business zone as a parameter (lesson P70).

-- Trigrams find a name by any part of it, in any script. The extension is trusted since PostgreSQL 13: whoever may create in the database may
-- make it, in public or else in this schema. Where the role may not, a superuser makes it once, and it is found in whatever schema it was put.
DO $block$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_trgm') THEN
    BEGIN
      CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
    EXCEPTION WHEN insufficient_privilege OR invalid_schema_name THEN
      CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA orders;
    END;
  END IF;
EXCEPTION
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the extension pg_trgm is missing and this role may not create it'
      USING HINT = 'As a superuser, in this database: CREATE EXTENSION pg_trgm;';
  WHEN unique_violation OR duplicate_object THEN
    NULL; -- another service migrating the same database at the same moment made it
END
$block$;

-- The provinces of Algeria, editable: delivery times change, shops invent spellings. `edition` is the year of the division that brought the
-- code (48 in 1984, 58 in 2019, 69 in November 2025); `parent_code` names the wilaya a newer one was cut out of, because shops go on writing
-- the old one for years.
CREATE TABLE orders.wilaya (
  code              smallint    NOT NULL,
  name_fr           text        NOT NULL,
  name_ar           text        NOT NULL,
  aliases           text[]      NOT NULL DEFAULT '{}',
  edition           smallint    NOT NULL,
  parent_code       smallint,
  max_delivery_days smallint    NOT NULL DEFAULT 2,
  version           bigint      NOT NULL DEFAULT 1,
  updated_at        timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT wilaya_pkey PRIMARY KEY (code),
  CONSTRAINT wilaya_name_fr_key UNIQUE (name_fr),
  CONSTRAINT wilaya_parent_fkey FOREIGN KEY (parent_code) REFERENCES orders.wilaya (code),
  CONSTRAINT wilaya_max_delivery_days_check CHECK (max_delivery_days BETWEEN 0 AND 60)
);

INSERT INTO orders.wilaya (code, name_fr, name_ar, aliases, edition, parent_code) VALUES
  (1,  'Adrar',                'أدرار',            '{}',                                                      1984, NULL),
  (2,  'Chlef',                'الشلف',            '{"Ech Cheliff","El Asnam","شلف"}',                         1984, NULL),
  (3,  'Laghouat',             'الأغواط',          '{"الاغواط"}',                                              1984, NULL),
  (4,  'Oum El Bouaghi',       'أم البواقي',       '{"OEB","Oum Bouaghi","Oum El Bouagui"}',                   1984, NULL),
  (5,  'Batna',                'باتنة',            '{}',                                                      1984, NULL),
  (6,  'Béjaïa',               'بجاية',            '{"Bougie","Bgayet","Bejaya"}',                             1984, NULL),
  (7,  'Biskra',               'بسكرة',            '{}',                                                      1984, NULL),
  (8,  'Béchar',               'بشار',             '{"Colomb Béchar"}',                                        1984, NULL),
  (9,  'Blida',                'البليدة',          '{"El Boulaida","بليدة"}',                                  1984, NULL),
  (10, 'Bouira',               'البويرة',          '{"Tubirett","بويرة"}',                                     1984, NULL),
  (11, 'Tamanrasset',          'تمنراست',          '{"Tamanghasset","Tam","تامنغست"}',                         1984, NULL),
  (12, 'Tébessa',              'تبسة',             '{}',                                                      1984, NULL),
  (13, 'Tlemcen',              'تلمسان',           '{"Tilimsen"}',                                             1984, NULL),
  (14, 'Tiaret',               'تيارت',            '{"Tihert"}',                                               1984, NULL),
  (15, 'Tizi Ouzou',           'تيزي وزو',         '{"Tizi","Tizi-Wezzu"}',                                    1984, NULL),
  (16, 'Alger',                'الجزائر',          '{"Algiers","Alger Centre","El Djazair","الجزائر العاصمة"}', 1984, NULL),
  (17, 'Djelfa',               'الجلفة',           '{"جلفة"}',                                                 1984, NULL),
  (18, 'Jijel',                'جيجل',             '{"Djidjelli"}',                                            1984, NULL),
  (19, 'Sétif',                'سطيف',             '{"Stif"}',                                                 1984, NULL),
  (20, 'Saïda',                'سعيدة',            '{}',                                                      1984, NULL),
  (21, 'Skikda',               'سكيكدة',           '{}',                                                      1984, NULL),
  (22, 'Sidi Bel Abbès',       'سيدي بلعباس',      '{"SBA","Bel Abbès"}',                                      1984, NULL),
  (23, 'Annaba',               'عنابة',            '{"Bône"}',                                                 1984, NULL),
  (24, 'Guelma',               'قالمة',            '{}',                                                      1984, NULL),
  (25, 'Constantine',          'قسنطينة',          '{"Qacentina","Ksantina"}',                                 1984, NULL),
  (26, 'Médéa',                'المدية',           '{"Lemdia","مدية"}',                                        1984, NULL),
  (27, 'Mostaganem',           'مستغانم',          '{"Mosta"}',                                                1984, NULL),
  (28, 'M''Sila',              'المسيلة',          '{"Messila","مسيلة"}',                                      1984, NULL),
  (29, 'Mascara',              'معسكر',            '{"Mouaskar"}',                                             1984, NULL),
  (30, 'Ouargla',              'ورقلة',            '{"Wargla"}',                                               1984, NULL),
  (31, 'Oran',                 'وهران',            '{"Wahran"}',                                               1984, NULL),
  (32, 'El Bayadh',            'البيض',            '{"Bayadh","El Bayad"}',                                    1984, NULL),
  (33, 'Illizi',               'إليزي',            '{}',                                                      1984, NULL),
  (34, 'Bordj Bou Arréridj',   'برج بوعريريج',     '{"BBA","Bordj Bou Areridj","Bordj"}',                      1984, NULL),
  (35, 'Boumerdès',            'بومرداس',          '{"Boumerdas"}',                                            1984, NULL),
  (36, 'El Tarf',              'الطارف',           '{"Tarf","Taref","El Taref","Et Tarf"}',                    1984, NULL),
  (37, 'Tindouf',              'تندوف',            '{}',                                                      1984, NULL),
  (38, 'Tissemsilt',           'تيسمسيلت',         '{"Tissemssilt"}',                                          1984, NULL),
  (39, 'El Oued',              'الوادي',           '{"Oued Souf","Souf","وادي سوف"}',                          1984, NULL),
  (40, 'Khenchela',            'خنشلة',            '{"Khanchela"}',                                            1984, NULL),
  (41, 'Souk Ahras',           'سوق أهراس',        '{"Souk-Ahrass"}',                                          1984, NULL),
  (42, 'Tipaza',               'تيبازة',           '{"Tipasa","تيبازا"}',                                      1984, NULL),
  (43, 'Mila',                 'ميلة',             '{}',                                                      1984, NULL),
  (44, 'Aïn Defla',            'عين الدفلى',       '{"Ain Eddefla"}',                                          1984, NULL),
  (45, 'Naâma',                'النعامة',          '{"Naama","نعامة"}',                                        1984, NULL),
  (46, 'Aïn Témouchent',       'عين تموشنت',       '{"Temouchent"}',                                           1984, NULL),
  (47, 'Ghardaïa',             'غرداية',           '{"Ghardaya","Taghardayt"}',                                1984, NULL),
  (48, 'Relizane',             'غليزان',           '{"Ghilizane","Ighil Izane"}',                              1984, NULL),
  (49, 'Timimoun',             'تيميمون',          '{"Timimoune"}',                                            2019, 1),
  (50, 'Bordj Badji Mokhtar',  'برج باجي مختار',   '{"BBM"}',                                                  2019, 1),
  (51, 'Ouled Djellal',        'أولاد جلال',       '{"Ouled Djelal"}',                                         2019, 7),
  (52, 'Béni Abbès',           'بني عباس',         '{}',                                                      2019, 8),
  (53, 'In Salah',             'عين صالح',         '{"Aïn Salah"}',                                            2019, 11),
  (54, 'In Guezzam',           'عين قزام',         '{"Aïn Guezzam"}',                                          2019, 11),
  (55, 'Touggourt',            'تقرت',             '{"Tougourt","توقرت"}',                                     2019, 30),
  (56, 'Djanet',               'جانت',             '{}',                                                      2019, 33),
  (57, 'El M''Ghair',          'المغير',           '{"El Meghaier","El Meghaïer","Meghaier"}',                 2019, 39),
  (58, 'El Meniaa',            'المنيعة',          '{"El Menia","El Goléa","Meniaa"}',                         2019, 47),
  (59, 'Aflou',                'أفلو',             '{}',                                                      2025, 3),
  (60, 'El Abiodh Sidi Cheikh','الأبيض سيدي الشيخ','{"Abiodh Sidi Cheikh","El Bayodh Sidi Cheikh"}',           2025, 32),
  (61, 'El Aricha',            'العريشة',          '{"Laricha"}',                                              2025, 13),
  (62, 'El Kantara',           'القنطرة',          '{}',                                                      2025, 7),
  (63, 'Barika',               'بريكة',            '{}',                                                      2025, 5),
  (64, 'Bou Saâda',            'بوسعادة',          '{"Boussaada","Bousaada"}',                                 2025, 28),
  (65, 'Bir El Ater',          'بئر العاتر',       '{"Bir Al Ater"}',                                          2025, 12),
  (66, 'Ksar El Boukhari',     'قصر البخاري',      '{"Ksar Boukhari"}',                                        2025, 26),
  (67, 'Ksar Chellala',        'قصر الشلالة',      '{"Ksar Chelala"}',                                         2025, 14),
  (68, 'Aïn Oussara',          'عين وسارة',        '{"Aïn Oussera","Ain Ouessara"}',                           2025, 17),
  (69, 'Messaad',              'مسعد',             '{"Messaâd"}',                                              2025, 17);

-- Which version of a store's state map all orders of this store were judged by (`version`), and which is being applied or was applied last
-- (`target_version`, with what it makes of each state in `entries`). The map is owned by ecosync. The target is known before the first order is
-- judged by it and becomes the version when the last one is: meanwhile, and ever after, a pass that still carries an older map has its rows
-- judged by the target, so that no order slips past a change of the map.
CREATE TABLE orders.store_state_map (
  store_id       uuid        NOT NULL,
  version        integer     NOT NULL DEFAULT 0,
  target_version integer     NOT NULL,
  entries        jsonb       NOT NULL DEFAULT '{}',
  applied_at     timestamptz,                            -- when `version` became what it is
  CONSTRAINT store_state_map_pkey PRIMARY KEY (store_id),
  CONSTRAINT store_state_map_version_check CHECK (version >= 0 AND target_version >= version)
);

-- The stores that a courier account carries, told by shipping. While a store is not here, its shop is the only one who knows how a delivery
-- ended and is believed; once it is, the courier is asked first.
CREATE TABLE orders.store_courier (
  store_id  uuid        NOT NULL,
  linked_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT store_courier_pkey PRIMARY KEY (store_id)
);

-- One customer per telephone in E.164 (lesson P18): two spellings of one number are one person, whichever store was called. Names and addresses
-- stand on the order, because they are what was said that day; how many orders a customer has is counted, never kept.
CREATE TABLE orders.customer (
  id         bigint      GENERATED ALWAYS AS IDENTITY,
  phone_e164 text        NOT NULL,
  full_name  text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT customer_pkey PRIMARY KEY (id),
  CONSTRAINT customer_phone_e164_key UNIQUE (phone_e164),
  CONSTRAINT customer_phone_e164_check CHECK (phone_e164 ~ '^\+[1-9][0-9]{6,14}$')
);

-- One row per agent, locked `FOR UPDATE` by everything that gives an agent an order, in the order of the id. Counting a load inside the
-- statement that locks was measured to overrun a cap: the count must stand in a later statement, and this row is what both wait at.
CREATE TABLE orders.desk (
  agent_id   uuid        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT desk_pkey PRIMARY KEY (agent_id)
);

CREATE TABLE orders.sales_order (
  id                  bigint      GENERATED ALWAYS AS IDENTITY,

  -- Who it is. The same upstream number exists in two tenants with different meanings (lesson P5): only the pair identifies. An order that a
  -- person entered has no upstream id.
  origin              text        NOT NULL,
  store_id            uuid        NOT NULL,
  upstream_id         bigint,
  reference           text        NOT NULL,

  -- What the shop says.
  upstream_state      text        NOT NULL DEFAULT '',   -- as written, French
  upstream_state_key  text        NOT NULL DEFAULT '',   -- folded: no accents, no case; tells one state from another. The map is asked with the words as written
  meaning             text        NOT NULL DEFAULT 'NONE',
  meaning_at          timestamptz NOT NULL DEFAULT now(),-- when the shop was first seen to say so
  state_map_version   integer     NOT NULL DEFAULT 0,
  confirmation_state  text        NOT NULL DEFAULT '',
  upstream_updated_at timestamptz,
  observed_at         timestamptz,                       -- when the request that brought this row was sent
  raw_hash            bytea,                             -- of the payload and of what the decoder made of it
  upstream_deleted_at timestamptz,                       -- gone from the shop: marked, never removed

  -- What we say.
  status              text        NOT NULL DEFAULT 'PENDING',
  terminal            boolean     NOT NULL GENERATED ALWAYS AS (status IN ('DELIVERED', 'RETURNED', 'CANCELLED')) STORED,
  cancelled_by        text,                              -- whose cancellation it is: the shop may take back only its own
  disagreement        text,                              -- why a person must look; NULL when the axes agree
  disagreement_at     timestamptz,
  tags                text[]      NOT NULL DEFAULT '{}',
  priority            smallint    NOT NULL DEFAULT 0,
  duplicate_of        bigint,
  duplicate_dismissed_at timestamptz,
  deleted_at          timestamptz,                       -- deleted here, by an administrator

  -- When what happened. Never one column for two of them (lesson P19: lateness computed from the time of import).
  placed_at           timestamptz NOT NULL,
  ingested_at         timestamptz NOT NULL DEFAULT now(),
  dispatched_at       timestamptz,
  ready_at            timestamptz,                       -- the latch: set once, never cleared
  assigned_at         timestamptz,
  first_call_at       timestamptz,
  confirmed_at        timestamptz,
  shipped_at          timestamptz,
  delivered_at        timestamptz,
  returned_at         timestamptz,
  cancelled_at        timestamptz,
  deliver_by          timestamptz,                       -- the end of the dispatch day plus the wilaya's days, in the business zone
  touched_at          timestamptz NOT NULL DEFAULT now(),-- last sign of life from a person, the shop or the courier

  -- Whose work it is. The agent is a field, not a status, and stays on a terminal order for ever (lesson P48).
  agent_id            uuid,
  next_action         text,
  next_action_at      timestamptz,
  call_count          integer     NOT NULL DEFAULT 0,
  last_outcome        text,

  -- The courier's mirror, written by shipping alone and only with a higher mirror_seq, so that lists, filters and exports join nothing.
  parcel_id           text,
  tracking_number     text,
  courier_code        integer,
  courier_state       text,
  courier_at          timestamptz,
  courier_attempts    integer     NOT NULL DEFAULT 0,
  courier_postponed_to date,
  courier_reason      text,
  mirror_seq          bigint      NOT NULL DEFAULT 0,
  no_parcel_at        timestamptz,                       -- when discovery last looked and found no parcel

  -- Where to and to whom. The text as the shop wrote it stays beside what we made of it.
  customer_id         bigint,
  full_name           text        NOT NULL,
  search_name         text        NOT NULL,
  phone               text        NOT NULL DEFAULT '',
  phone_e164          text,
  phone_problem       text,
  wilaya              text        NOT NULL DEFAULT '',
  wilaya_code         smallint,
  commune             text        NOT NULL DEFAULT '',
  address             text        NOT NULL DEFAULT '',

  -- Minor units of `currency`; `due` is what the courier collects.
  goods_total         bigint      NOT NULL DEFAULT 0,
  shipping_fee        bigint      NOT NULL DEFAULT 0,
  due                 bigint      NOT NULL DEFAULT 0,
  currency            char(3)     NOT NULL DEFAULT 'DZD',

  -- Two versions, because two owners: `version` moves with what people own (status, agent, tags, a manual order's everything) and is the etag,
  -- `shop_version` with what the shop owns. A sync that corrects an address does not make an agent's save stale.
  version             bigint      NOT NULL DEFAULT 1,
  shop_version        bigint      NOT NULL DEFAULT 1,
  updated_at          timestamptz NOT NULL DEFAULT now(),

  CONSTRAINT sales_order_pkey PRIMARY KEY (id),
  CONSTRAINT sales_order_store_upstream_key UNIQUE (store_id, upstream_id),
  CONSTRAINT sales_order_customer_fkey FOREIGN KEY (customer_id) REFERENCES orders.customer (id),
  CONSTRAINT sales_order_wilaya_fkey FOREIGN KEY (wilaya_code) REFERENCES orders.wilaya (code),
  CONSTRAINT sales_order_duplicate_of_fkey FOREIGN KEY (duplicate_of) REFERENCES orders.sales_order (id) ON DELETE SET NULL,
  CONSTRAINT sales_order_origin_check CHECK (origin IN ('SHOP', 'MANUAL')),
  CONSTRAINT sales_order_identity_check CHECK ((origin = 'SHOP') = (upstream_id IS NOT NULL)),
  CONSTRAINT sales_order_status_check CHECK (status IN ('PENDING', 'ASSIGNED', 'IN_PROGRESS', 'CONFIRMED', 'SHIPPED', 'DELIVERED', 'RETURNED', 'CANCELLED')),
  CONSTRAINT sales_order_assigned_check CHECK (CASE status WHEN 'PENDING' THEN agent_id IS NULL WHEN 'ASSIGNED' THEN agent_id IS NOT NULL ELSE true END),
  CONSTRAINT sales_order_meaning_check CHECK (meaning IN ('NONE', 'FOLLOW_UP', 'CANCELLED', 'DELIVERED', 'RETURNED')),
  CONSTRAINT sales_order_cancelled_by_check CHECK ((status = 'CANCELLED') = (cancelled_by IS NOT NULL) AND cancelled_by IN ('PERSON', 'SHOP')),
  CONSTRAINT sales_order_disagreement_check CHECK ((disagreement IS NULL) = (disagreement_at IS NULL)
    AND disagreement IN ('SHOP_CANCELLED', 'SHOP_DELIVERED', 'SHOP_RETURNED', 'SHOP_REOPENED', 'COURIER_REOPENED', 'COURIER_REFUSED')),
  CONSTRAINT sales_order_next_action_check CHECK ((next_action IS NULL) = (next_action_at IS NULL) AND next_action IN ('CALL', 'CALL_BACK', 'COURIER_ALERT', 'POSTPONED')),
  CONSTRAINT sales_order_last_outcome_check CHECK (last_outcome IN ('CONFIRMED', 'REFUSED', 'CALL_BACK', 'NO_ANSWER', 'UNREACHABLE', 'WRONG_NUMBER', 'OTHER')),
  CONSTRAINT sales_order_phone_check CHECK ((phone_e164 IS NULL) = (phone_problem IS NOT NULL)
    AND phone_problem IN ('MISSING', 'TOO_SHORT', 'TOO_LONG', 'UNKNOWN_PREFIX')),
  CONSTRAINT sales_order_priority_check CHECK (priority BETWEEN 0 AND 9),
  CONSTRAINT sales_order_customer_check CHECK (customer_id IS NULL OR phone_e164 IS NOT NULL),
  CONSTRAINT sales_order_money_check CHECK (goods_total >= 0 AND shipping_fee >= 0 AND due >= 0)
);

-- Lists, newest first by what the business calls new: the moment of placement, then the id, so that a keyset page is unique.
CREATE INDEX sales_order_placed_idx    ON orders.sales_order (placed_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX sales_order_status_idx    ON orders.sales_order (status, placed_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX sales_order_store_idx     ON orders.sales_order (store_id, placed_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX sales_order_agent_idx     ON orders.sales_order (agent_id, placed_at DESC, id DESC) WHERE deleted_at IS NULL AND agent_id IS NOT NULL;
CREATE INDEX sales_order_unassigned_idx ON orders.sales_order (placed_at DESC, id DESC) WHERE deleted_at IS NULL AND agent_id IS NULL;
CREATE INDEX sales_order_wilaya_idx    ON orders.sales_order (wilaya_code, placed_at DESC, id DESC) WHERE deleted_at IS NULL AND wilaya_code IS NOT NULL;
CREATE INDEX sales_order_courier_idx   ON orders.sales_order (courier_state, placed_at DESC, id DESC) WHERE deleted_at IS NULL AND courier_state IS NOT NULL;
CREATE INDEX sales_order_customer_idx  ON orders.sales_order (customer_id, placed_at DESC, id DESC) WHERE customer_id IS NOT NULL;
CREATE INDEX sales_order_disagreement_idx ON orders.sales_order (placed_at DESC, id DESC) WHERE deleted_at IS NULL AND disagreement IS NOT NULL;
CREATE INDEX sales_order_duplicate_idx ON orders.sales_order (placed_at DESC, id DESC) WHERE deleted_at IS NULL AND duplicate_of IS NOT NULL;
CREATE INDEX sales_order_duplicate_of_idx ON orders.sales_order (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX sales_order_tags_idx      ON orders.sales_order USING gin (tags) WHERE deleted_at IS NULL AND tags <> '{}';

-- Search, one index per class of question: a number, a tracking number, a reference, each exact or by prefix; a name by trigrams.
CREATE INDEX sales_order_phone_idx     ON orders.sales_order (phone_e164 text_pattern_ops, placed_at DESC, id DESC) WHERE deleted_at IS NULL AND phone_e164 IS NOT NULL;
CREATE INDEX sales_order_tracking_idx  ON orders.sales_order (tracking_number text_pattern_ops) WHERE deleted_at IS NULL AND tracking_number IS NOT NULL;
CREATE INDEX sales_order_reference_idx ON orders.sales_order (upper(reference) text_pattern_ops) WHERE deleted_at IS NULL;
DO $block$
DECLARE
  trigram_schema name;
BEGIN
  SELECT n.nspname INTO STRICT trigram_schema
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
  WHERE e.extname = 'pg_trgm';
  EXECUTE format('CREATE INDEX sales_order_search_name_idx ON orders.sales_order USING gin (search_name %I.gin_trgm_ops) WHERE deleted_at IS NULL', trigram_schema);
END
$block$;

-- Work. Every one of these is partial on what is open, so its size is the open work and not the history (lesson P28, P40).
CREATE INDEX sales_order_waiting_idx ON orders.sales_order (placed_at DESC, id DESC)
  WHERE ready_at IS NOT NULL AND agent_id IS NULL AND NOT terminal AND deleted_at IS NULL;
CREATE INDEX sales_order_open_agent_idx ON orders.sales_order (agent_id, next_action_at, id)
  WHERE agent_id IS NOT NULL AND NOT terminal AND deleted_at IS NULL;
CREATE INDEX sales_order_ready_idx ON orders.sales_order (ready_at, id) WHERE NOT terminal AND deleted_at IS NULL AND ready_at IS NOT NULL;
CREATE INDEX sales_order_next_action_idx ON orders.sales_order (next_action_at, id) WHERE NOT terminal AND deleted_at IS NULL AND next_action_at IS NOT NULL;
CREATE INDEX sales_order_deliver_by_idx ON orders.sales_order (deliver_by, id) WHERE NOT terminal AND deleted_at IS NULL AND deliver_by IS NOT NULL;
CREATE INDEX sales_order_touched_idx ON orders.sales_order (touched_at, id) WHERE NOT terminal AND deleted_at IS NULL;
CREATE INDEX sales_order_open_upstream_idx ON orders.sales_order (store_id, upstream_id) WHERE NOT terminal AND deleted_at IS NULL AND upstream_id IS NOT NULL;

-- Which states a store's orders hold with which meanings is read by jumping from one to the next; a changed map judges the orders of one state
-- and meaning at a time, by id.
CREATE INDEX sales_order_state_idx ON orders.sales_order (store_id, upstream_state, meaning, id) WHERE deleted_at IS NULL AND upstream_id IS NOT NULL;

-- What was ordered. `unit_price` is the shop's selling_price: the field called unit_price does not exist upstream (lesson P13).
CREATE TABLE orders.order_item (
  order_id            bigint   NOT NULL,
  line                smallint NOT NULL,
  upstream_line_id    bigint,
  upstream_product_id text     NOT NULL DEFAULT '',
  sku                 text     NOT NULL DEFAULT '',
  title               text     NOT NULL,
  quantity            integer  NOT NULL,
  unit_price          bigint,                            -- NULL: the shop gave none
  CONSTRAINT order_item_pkey PRIMARY KEY (order_id, line),
  CONSTRAINT order_item_order_fkey FOREIGN KEY (order_id) REFERENCES orders.sales_order (id) ON DELETE CASCADE,
  CONSTRAINT order_item_quantity_check CHECK (quantity >= 0),
  CONSTRAINT order_item_unit_price_check CHECK (unit_price >= 0)
);

-- The shop's own words, kept so that a better decoder can read them again. Bytes, not jsonb: what came is what is kept, and one U+0000 in a
-- customer's name must not fail the batch it came in.
CREATE TABLE orders.order_raw (
  order_id bigint NOT NULL,
  payload  bytea  NOT NULL,
  CONSTRAINT order_raw_pkey PRIMARY KEY (order_id),
  CONSTRAINT order_raw_order_fkey FOREIGN KEY (order_id) REFERENCES orders.sales_order (id) ON DELETE CASCADE
);

-- Notes are rows, not a document read, changed and written back (lesson P62).
CREATE TABLE orders.order_note (
  id          bigint      GENERATED ALWAYS AS IDENTITY,
  order_id    bigint      NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  author_id   text        NOT NULL,
  author_role text        NOT NULL,
  body        text        NOT NULL,
  CONSTRAINT order_note_pkey PRIMARY KEY (id),
  CONSTRAINT order_note_order_fkey FOREIGN KEY (order_id) REFERENCES orders.sales_order (id) ON DELETE CASCADE,
  CONSTRAINT order_note_body_check CHECK (body <> '')
);
CREATE INDEX order_note_order_idx ON orders.order_note (order_id, id DESC);

-- A call is a fact, not a note.
CREATE TABLE orders.call_attempt (
  id         bigint      GENERATED ALWAYS AS IDENTITY,
  order_id   bigint      NOT NULL,
  agent_id   uuid        NOT NULL,
  at         timestamptz NOT NULL DEFAULT now(),
  channel    text        NOT NULL,
  outcome    text        NOT NULL,
  note       text        NOT NULL DEFAULT '',
  next_at    timestamptz,
  request_id text        NOT NULL DEFAULT '',
  CONSTRAINT call_attempt_pkey PRIMARY KEY (id),
  CONSTRAINT call_attempt_order_fkey FOREIGN KEY (order_id) REFERENCES orders.sales_order (id) ON DELETE CASCADE,
  CONSTRAINT call_attempt_channel_check CHECK (channel IN ('PHONE', 'SMS', 'WHATSAPP')),
  CONSTRAINT call_attempt_outcome_check CHECK (outcome IN ('CONFIRMED', 'REFUSED', 'CALL_BACK', 'NO_ANSWER', 'UNREACHABLE', 'WRONG_NUMBER', 'OTHER'))
);
CREATE INDEX call_attempt_order_idx ON orders.call_attempt (order_id, id DESC);
CREATE INDEX call_attempt_agent_idx ON orders.call_attempt (agent_id, at);

-- What happened to an order, by whom, from where and why: pay and disputes hang on it, so it is only ever added to. No foreign key: the history
-- outlives a purged order. `agent_id` is the agent given by an assignment, `batch_id` the batch that gave it: an allocation that was
-- interrupted asks for its batch and learns which pairs came true.
CREATE TABLE orders.order_history (
  id            bigint      GENERATED ALWAYS AS IDENTITY,
  order_id      bigint      NOT NULL,
  at            timestamptz NOT NULL DEFAULT now(),
  kind          text        NOT NULL,
  source        text        NOT NULL,
  trigger       text        NOT NULL DEFAULT '',         -- what brought the source here: PASS, RESCAN, WEBHOOK, BACKFILL, STATE_MAP
  actor_id      text        NOT NULL DEFAULT '',
  actor_role    text        NOT NULL DEFAULT '',
  status_before text        NOT NULL DEFAULT '',
  status_after  text        NOT NULL DEFAULT '',
  before        jsonb       NOT NULL DEFAULT '{}',
  after         jsonb       NOT NULL DEFAULT '{}',
  reason        text        NOT NULL DEFAULT '',
  request_id    text        NOT NULL DEFAULT '',
  batch_id      uuid,
  agent_id      uuid,
  CONSTRAINT order_history_pkey PRIMARY KEY (id),
  CONSTRAINT order_history_kind_check CHECK (kind IN ('CREATED', 'STATUS', 'SHOP_FIELDS', 'FIELDS', 'COURIER', 'ASSIGNED', 'UNASSIGNED', 'CALLED', 'RELEASED', 'DELETED', 'RESTORED')),
  CONSTRAINT order_history_source_check CHECK (source IN ('PERSON', 'SHOP', 'COURIER', 'ASSIGNMENT', 'SYSTEM')),
  CONSTRAINT order_history_actor_role_check CHECK (actor_role IN ('', 'ADMIN', 'MANAGER', 'AGENT_SUIVI'))
);
CREATE INDEX order_history_order_idx ON orders.order_history (order_id, id DESC);
CREATE INDEX order_history_batch_idx ON orders.order_history (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX order_history_assigned_idx ON orders.order_history (agent_id, at) WHERE kind = 'ASSIGNED';

CREATE FUNCTION orders.refuse_history_change() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $function$
BEGIN
  RAISE EXCEPTION 'orders.order_history is append-only' USING ERRCODE = 'restrict_violation';
END
$function$;
CREATE TRIGGER order_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON orders.order_history
  FOR EACH STATEMENT EXECUTE FUNCTION orders.refuse_history_change();

-- Late and stale are questions about this moment: a stored answer is wrong by tomorrow.
CREATE VIEW orders.late AS
  SELECT o.id AS order_id, o.agent_id, o.deliver_by
  FROM orders.sales_order o
  WHERE NOT o.terminal AND o.deleted_at IS NULL AND o.deliver_by < now();

CREATE VIEW orders.stale AS
  SELECT o.id AS order_id, o.agent_id, o.touched_at
  FROM orders.sales_order o
  WHERE NOT o.terminal AND o.deleted_at IS NULL AND o.touched_at < now() - interval '21 days';

-- An agent's load, one row per order that is work: claims, workloads, queues and counts all read this view (lesson P47, P49), and the load is
-- the count of its rows. What nobody has touched for 21 days is listed for managers instead of weighing on an agent for ever.
CREATE VIEW orders.agent_load AS
  SELECT o.agent_id, o.id AS order_id
  FROM orders.sales_order o
  WHERE o.agent_id IS NOT NULL AND NOT o.terminal AND o.deleted_at IS NULL
    AND (o.status IN ('ASSIGNED', 'IN_PROGRESS') OR o.next_action_at <= now() OR o.deliver_by < now())
    AND o.touched_at >= now() - interval '21 days';
