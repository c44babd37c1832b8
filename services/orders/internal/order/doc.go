// Package order is the domain of the orders service: what an order is, how it may live, and who may do what to it.
//
// It owns the lifecycle ([Judge], the only place that decides a status), the meaning of what a shop says ([Ingester]),
// the latch that makes an order ready to be worked, telephone numbers and wilayas as people write them, and the
// use-cases ([Service]) with the few things they ask of storage ([Store]).
//
// It never does I/O and knows no transport, no database and no clock of its own: time is handed in.
//
// Start reading at [Judge] and the table above it, then [Ingester.Judge], then [Service].
package order
