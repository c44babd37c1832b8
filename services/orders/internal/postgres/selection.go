package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

// selection is a filter in SQL: the conditions that every row must meet, and the one dimension, if any, whose index already holds its rows in
// the order of the list.
//
// A list is read in one of two ways. Along an index: the rows come in order, and reading stops after one page, wherever in the list it is. Or
// candidates first: where the filter itself names few rows (open work, a telephone), they are found by its own index and then sorted. Which of
// the two is decided here by the kind of filter and not by the planner, whose guess is wrong exactly when it matters: for the rare value.
type selection struct {
	conditions []string
	args       pgx.NamedArgs
	driver     *driver
	candidates bool
	search     bool
}

// driver is a filter whose values each have an index (value, key, id).
type driver struct {
	column, sqlType string
	several         bool // more than one value: one index walk per value, merged
}

// sorting is how a list is ordered: its key column, what a row must have to be in it, and the direction.
type sorting struct {
	column, condition, direction, behind string
}

var sortings = map[order.Sort]sorting{
	order.NewestFirst:    {column: "placed_at", direction: "DESC", behind: "<"},
	order.OldestFirst:    {column: "placed_at", direction: "ASC", behind: ">"},
	order.ReadyFirst:     {column: "ready_at", condition: "NOT o.terminal AND o.ready_at IS NOT NULL", direction: "ASC", behind: ">"},
	order.DeliverByFirst: {column: "deliver_by", condition: "NOT o.terminal AND o.deliver_by IS NOT NULL", direction: "ASC", behind: ">"},
	order.NextFirst:      {column: "next_action_at", condition: "NOT o.terminal AND o.next_action_at IS NOT NULL", direction: "ASC", behind: ">"},
}

func newSelection(f order.Filter) *selection {
	s := &selection{conditions: []string{"o.deleted_at IS NULL"}, args: pgx.NamedArgs{}}
	// The first dimension with values drives; the order is from the most to the least selective. The others filter what it yields.
	drive(s, "agent_id", "uuid", f.AgentIDs)
	drive(s, "courier_state", "text", f.CourierStates)
	drive(s, "wilaya_code", "smallint", f.Wilayas)
	drive(s, "status", "text", f.Statuses)
	drive(s, "store_id", "uuid", f.StoreIDs)
	s.where(f.Unassigned, "o.agent_id IS NULL")
	s.where(f.Duplicate, "o.duplicate_of IS NOT NULL")
	s.where(f.Disagreement, "o.disagreement IS NOT NULL")
	s.bound(!f.PlacedFrom.IsZero(), "o.placed_at >= @placed_from", "placed_from", f.PlacedFrom)
	s.bound(!f.PlacedBefore.IsZero(), "o.placed_at < @placed_before", "placed_before", f.PlacedBefore)
	s.few(f.Late, "NOT o.terminal AND o.deliver_by < now()")
	s.few(f.Stale, "NOT o.terminal AND o.touched_at < now() - interval '21 days'")
	s.few(!f.DueBefore.IsZero(), "NOT o.terminal AND o.next_action_at < @due_before")
	s.args["due_before"] = f.DueBefore
	s.few(len(f.Tags) > 0, "o.tags @> @tags AND o.tags <> '{}'")
	s.args["tags"] = f.Tags
	s.find(f.Search)
	return s
}

func drive[V any](s *selection, column, sqlType string, values []V) {
	switch {
	case len(values) == 0:
		return
	case s.driver != nil:
		s.conditions = append(s.conditions, fmt.Sprintf("o.%s = ANY(@%s::%s[])", column, column, sqlType))
		s.args[column] = values
	case len(values) == 1:
		s.driver = &driver{column: column, sqlType: sqlType}
		s.args[column] = values[0]
	default:
		s.driver = &driver{column: column, sqlType: sqlType, several: true}
		s.args[column] = values
	}
}

func (s *selection) where(wanted bool, condition string) {
	if wanted {
		s.conditions = append(s.conditions, condition)
	}
}

func (s *selection) bound(wanted bool, condition, name string, value any) {
	s.where(wanted, condition)
	s.args[name] = value
}

// few adds a condition that names few rows by nature and has an index of its own.
func (s *selection) few(wanted bool, condition string) {
	s.where(wanted, condition)
	s.candidates = s.candidates || wanted
}

func (s *selection) find(search order.Search) {
	s.search = search.Kind != order.SearchNone
	s.candidates = s.candidates || s.search
	switch search.Kind {
	case order.SearchNone:
	case order.SearchPhone:
		s.bound(true, "o.phone_e164 LIKE @phone", "phone", likePrefix(search.Text))
	case order.SearchTracking:
		s.bound(true, "o.tracking_number LIKE @tracking", "tracking", likePrefix(search.Text))
	case order.SearchReference:
		s.bound(true, "upper(o.reference) LIKE @reference", "reference", likePrefix(search.Text))
	case order.SearchName:
		for i, word := range search.Words {
			name := fmt.Sprintf("word%d", i)
			s.bound(true, "o.search_name LIKE @"+name, name, "%"+escapeLike(word)+"%")
		}
	}
}

// driverCondition is the driving filter as a condition; inWalk says that it stands inside the walk of one of its values.
func (s *selection) driverCondition(inWalk bool) []string {
	switch d := s.driver; {
	case d == nil:
		return nil
	case inWalk && d.several:
		return []string{fmt.Sprintf("o.%s = d.value", d.column)}
	case d.several:
		return []string{fmt.Sprintf("o.%s = ANY(@%s::%s[])", d.column, d.column, d.sqlType)}
	default:
		return []string{fmt.Sprintf("o.%s = @%s::%s", d.column, d.column, d.sqlType)}
	}
}

// page is the statement that yields the ids of a page and their keys, one row more than the page holds, and how many candidates a search met.
func (s *selection) page(sort order.Sort, after *order.Cursor, limit int) string {
	by := sortings[sort]
	inWalk := !s.candidates
	conditions := append(s.driverCondition(inWalk), s.conditions...)
	if by.condition != "" {
		conditions = append(conditions, by.condition)
	}
	behind := ""
	if after != nil {
		s.args["after_key"], s.args["after_id"] = after.At, after.ID
		behind = fmt.Sprintf("(%%s, %%s) %s (@after_key, @after_id)", by.behind)
	}
	if s.candidates {
		cut := ""
		if s.search {
			// The first that the index yields, in no order: sorting them first would read every match of a common name. `refine` says so.
			cut = fmt.Sprintf(" LIMIT %d", order.MaxCandidates+1)
		}
		where := ""
		if behind != "" {
			where = " WHERE " + fmt.Sprintf(behind, "c.key", "c.id")
		}
		return fmt.Sprintf(`WITH candidate AS MATERIALIZED (SELECT o.id, o.%[1]s AS key FROM orders.sales_order o WHERE %[2]s%[3]s)
			SELECT c.id, c.key, (SELECT count(*) FROM candidate) AS met FROM candidate c%[4]s ORDER BY c.key %[5]s, c.id %[5]s LIMIT %[6]d`,
			by.column, strings.Join(conditions, " AND "), cut, where, by.direction, limit+1)
	}
	if behind != "" {
		conditions = append(conditions, fmt.Sprintf(behind, "o."+by.column, "o.id"))
	}
	walk := fmt.Sprintf(`SELECT o.id, o.%[1]s AS key, 0::bigint AS met FROM orders.sales_order o WHERE %[2]s ORDER BY o.%[1]s %[3]s, o.id %[3]s LIMIT %[4]d`,
		by.column, strings.Join(conditions, " AND "), by.direction, limit+1)
	if s.driver == nil || !s.driver.several {
		return walk
	}
	return fmt.Sprintf(`SELECT p.id, p.key, p.met FROM unnest(@%[1]s::%[2]s[]) AS d(value) CROSS JOIN LATERAL (%[3]s) p
		ORDER BY p.key %[4]s, p.id %[4]s LIMIT %[5]d`, s.driver.column, s.driver.sqlType, walk, by.direction, limit+1)
}

// count is the statement that counts the whole list, up to where nobody counts any more.
func (s *selection) count(sort order.Sort) string {
	conditions := append(s.driverCondition(false), s.conditions...)
	if by := sortings[sort]; by.condition != "" {
		conditions = append(conditions, by.condition)
	}
	return fmt.Sprintf(`SELECT count(*) FROM (SELECT FROM orders.sales_order o WHERE %s LIMIT %d) counted`, strings.Join(conditions, " AND "), order.MaxTotal)
}

func likePrefix(text string) string { return escapeLike(text) + "%" }

func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
