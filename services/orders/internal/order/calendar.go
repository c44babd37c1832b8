package order

import "time"

// deliverBy is the latest good moment of a delivery: the end of the dispatch day plus the wilaya's days, as days are counted
// in the business zone (lesson P70). The end of a day is the first instant of the next.
func deliverBy(dispatched time.Time, days int, zone *time.Location) time.Time {
	d := dispatched.In(zone)
	return time.Date(d.Year(), d.Month(), d.Day()+days+1, 0, 0, 0, 0, zone).UTC()
}
