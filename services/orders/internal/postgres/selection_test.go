package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// planRows is the size of the table that plans are checked on (DESIGN 11); tenPages what a list may read and throw away.
const (
	planRows = 100_000
	tenPages = 10 * order.DefaultPageSize
)

// fillSQL makes a business of some years: five stores, thirty agents, most orders ended long ago, a few per cent open. Rare values are spread
// over the whole history, because a plan that is good for common values reads the table for them.
const fillSQL = `
INSERT INTO orders.sales_order (origin, store_id, upstream_id, reference, upstream_state, meaning, status, cancelled_by, placed_at, ready_at, agent_id,
  full_name, search_name, phone, phone_e164, wilaya, wilaya_code, due, courier_state, tracking_number, deliver_by, touched_at, next_action, next_action_at, disagreement, disagreement_at, tags)
SELECT 'SHOP', ('00000000-0000-7000-8000-00000000000' || (n % 5))::uuid, n, 'DEMO' || chr((65 + n % 5)::int) || n,
  'état ' || n % 12, CASE WHEN n % 7 = 0 THEN 'CANCELLED' ELSE 'FOLLOW_UP' END, s.status,
  CASE s.status WHEN 'CANCELLED' THEN 'SHOP' END,
  now() - n * interval '10 minutes', now(),
  CASE WHEN s.status = 'PENDING' THEN NULL ELSE ('00000000-0000-7000-8000-0000000001' || lpad((n % 30)::text, 2, '0'))::uuid END,
  'Client ' || n, CASE WHEN n % 997 = 0 THEN 'احمد بن صالح' ELSE 'client ' || md5(n::text) END,
  '0550', '+2135' || lpad((n * 7919 % 100000000)::text, 8, '0'), 'x', (1 + (n * n) % 69)::smallint, 100,
  CASE WHEN n % 1009 = 0 THEN 'EXCEPTION' WHEN s.status = 'DELIVERED' THEN 'DELIVERED' END, '25110000' || lpad(n::text, 8, '0'),
  now() - n * interval '10 minutes' + interval '3 days', now() - n * interval '10 minutes' + interval '1 day',
  CASE WHEN s.status IN ('ASSIGNED', 'IN_PROGRESS') THEN 'CALL' END, CASE WHEN s.status IN ('ASSIGNED', 'IN_PROGRESS') THEN now() - n * interval '1 minute' END,
  CASE WHEN n % 2003 = 0 THEN 'SHOP_CANCELLED' END, CASE WHEN n % 2003 = 0 THEN now() END, CASE WHEN n % 1511 = 0 THEN ARRAY['vip'] ELSE '{}'::text[] END
FROM generate_series(1::bigint, $1::bigint) n
CROSS JOIN LATERAL (SELECT CASE WHEN n % 503 = 0 THEN 'PENDING' WHEN n % 499 = 0 THEN 'ASSIGNED' WHEN n % 491 = 0 THEN 'IN_PROGRESS' WHEN n % 7 = 0 THEN 'CANCELLED'
  WHEN n % 5 = 0 THEN 'RETURNED' ELSE 'DELIVERED' END AS status) s`

func filled(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := newDatabase(t)
	ctx := context.Background()
	if _, err := pool.Exec(ctx, fillSQL, planRows); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, `VACUUM (ANALYZE) orders.sales_order`); err != nil {
		t.Fatal(err)
	}
	return pool
}

// node is what the test reads of a plan.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Filter   string  `json:"Filter"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Plans    []node  `json:"Plans"`
}

func (n node) walk(see func(node)) {
	see(n)
	for _, child := range n.Plans {
		child.walk(see)
	}
}

func explain(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) node {
	t.Helper()
	var raw []byte
	if err := pool.QueryRow(context.Background(), "EXPLAIN (ANALYZE, FORMAT JSON) "+sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...).Scan(&raw); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(raw, &plans); err != nil {
		t.Fatal(err)
	}
	return plans[0].Plan
}

// TestEveryListReadsAlongAnIndex holds each filter and sort, and the pages far behind the first, to reading what they show: no scan of the
// table, and not more than ten pages' worth of rows read and thrown away.
func TestEveryListReadsAlongAnIndex(t *testing.T) {
	pool := filled(t)
	agent := func(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-0000000001%02d", n) }
	store := func(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-00000000000%d", n) }
	var deep, due order.Cursor
	if err := pool.QueryRow(context.Background(), `SELECT placed_at, id FROM orders.sales_order ORDER BY placed_at DESC, id DESC OFFSET $1 LIMIT 1`,
		999*order.DefaultPageSize).Scan(&deep.At, &deep.ID); err != nil {
		t.Fatal(err)
	}
	due = order.Cursor{At: time.Now().Add(-24 * time.Hour), ID: 1}
	for name, q := range map[string]order.Query{
		"everything":             {},
		"everything, page 1,000": {After: &deep},
		"oldest first":           {Sort: order.OldestFirst},
		"a common status":        {Filter: order.Filter{Statuses: []order.Status{order.Delivered}}},
		"a rare status":          {Filter: order.Filter{Statuses: []order.Status{order.Pending}}},
		"rare and common, deep":  {Filter: order.Filter{Statuses: []order.Status{order.Pending, order.Delivered}}, After: &deep},
		"a store":                {Filter: order.Filter{StoreIDs: []string{store(3)}}},
		"two stores":             {Filter: order.Filter{StoreIDs: []string{store(3), store(4)}}},
		"an agent":               {Filter: order.Filter{AgentIDs: []string{agent(7)}}},
		"an agent, deep":         {Filter: order.Filter{AgentIDs: []string{agent(7)}}, After: &deep},
		"an agent's cancelled":   {Filter: order.Filter{AgentIDs: []string{agent(7)}, Statuses: []order.Status{order.Cancelled}}},
		"three agents":           {Filter: order.Filter{AgentIDs: []string{agent(1), agent(2), agent(3)}}},
		"an agent's next":        {Filter: order.Filter{AgentIDs: []string{agent(7)}}, Sort: order.NextFirst},
		"everybody's next":       {Sort: order.NextFirst, After: &due},
		"ready longest":          {Sort: order.ReadyFirst},
		"the next to be late":    {Sort: order.DeliverByFirst},
		"a wilaya":               {Filter: order.Filter{Wilayas: []int{17}}},
		"ten wilayas":            {Filter: order.Filter{Wilayas: []int{1, 2, 5, 10, 17, 18, 26, 30, 37, 50}}},
		"a rare courier state":   {Filter: order.Filter{CourierStates: []string{"EXCEPTION"}}},
		"without an agent":       {Filter: order.Filter{Unassigned: true}},
		"waiting":                {Filter: order.Filter{Unassigned: true, Statuses: []order.Status{order.Pending}}},
		"disagreements":          {Filter: order.Filter{Disagreement: true}},
		"duplicates":             {Filter: order.Filter{Duplicate: true}},
		"late":                   {Filter: order.Filter{Late: true}},
		"late, of an agent":      {Filter: order.Filter{Late: true, AgentIDs: []string{agent(19)}}},
		"stale":                  {Filter: order.Filter{Stale: true}},
		"due":                    {Filter: order.Filter{DueBefore: time.Now()}},
		"a tag":                  {Filter: order.Filter{Tags: []string{"vip"}}},
		"a week":                 {Filter: order.Filter{PlacedFrom: time.Now().AddDate(0, 0, -37), PlacedBefore: time.Now().AddDate(0, 0, -30)}},
		"a phone":                {Filter: order.Filter{Search: order.Search{Kind: order.SearchPhone, Text: "+213500007919"}}},
		"a phone's beginning":    {Filter: order.Filter{Search: order.Search{Kind: order.SearchPhone, Text: "+2135000079"}}},
		"a tracking number":      {Filter: order.Filter{Search: order.Search{Kind: order.SearchTracking, Text: "2511000000000042"}}},
		"a reference":            {Filter: order.Filter{Search: order.Search{Kind: order.SearchReference, Text: "DEMOA700"}}},
		"a name in Arabic":       {Filter: order.Filter{Search: order.Search{Kind: order.SearchName, Words: []string{"احمد", "صالح"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			q.Sort = cmp.Or(q.Sort, order.NewestFirst)
			s := newSelection(q.Filter)
			sql := s.page(q.Sort, q.After, order.DefaultPageSize)
			plan := explain(t, pool, sql, s.args)
			plan.mustBeFrugal(t, sql)
		})
	}
	batch := make([]int64, 100)
	for n := range batch {
		batch[n] = int64(n * 911)
	}
	for name, statement := range map[string]struct {
		sql  string
		args []any
	}{
		"known orders of a batch":  {selectKnown, []any{store(3), batch}},
		"locking those of a batch": {lockStoredOrders, []any{store(3), batch}},
		"orders by id":             {selectByID, []any{batch}},
		"items by id":              {selectItems, []any{batch}},
		"a store's newest":         {selectNewest, []any{store(3), 20}},
		"held in a deep span":      {selectHeld, []any{store(3), 20_000, 40_000, 1000}},
		"the oldest open order":    {selectOldestOpen, []any{store(3)}},
		"a store's states":         {selectStates, []any{store(3), order.MaxTotal}},
		"orders of a state":        {selectSlice, []any{store(3), "état 3", "FOLLOW_UP", 2, 0, 500}},
		"the last of a state":      {selectSlice, []any{store(3), "état 3", "FOLLOW_UP", 2, planRows - 100, 500}},
		"locking those of a state": {lockSlice, []any{store(3), "état 3", "FOLLOW_UP", 2, planRows / 2, 500}},
	} {
		t.Run(name, func(t *testing.T) {
			explain(t, pool, statement.sql, statement.args...).mustBeFrugal(t, statement.sql)
		})
	}
}

// mustBeFrugal fails for a plan that scans the table, or reads more than ten pages' worth of rows to throw them away.
func (n node) mustBeFrugal(t *testing.T, sql string) {
	t.Helper()
	removed, scanned := 0.0, []string{}
	n.walk(func(n node) {
		removed += n.Removed * max(n.Loops, 1)
		if n.Type == "Seq Scan" && n.Relation == "sales_order" {
			scanned = append(scanned, n.Filter)
		}
	})
	if len(scanned) > 0 {
		t.Errorf("reads the whole table: %v", scanned)
	}
	if removed > tenPages {
		t.Errorf("reads %.0f rows and throws them away, more than %d", removed, tenPages)
	}
	if t.Failed() {
		shown, _ := json.MarshalIndent(n, "", " ")
		t.Logf("%s\n%s", strings.Join(strings.Fields(sql), " "), shown)
	}
}
