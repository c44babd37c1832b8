package ecomanagersim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// routeControl adds the control door: JSON in, JSON out, unknown fields refused, no token. It belongs on a loopback address.
func (s *Server) routeControl(mux *http.ServeMux) {
	mux.HandleFunc("GET /control", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, controlHelp) })
	mux.HandleFunc("GET /control/shops", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, shopList{s.Shops()})
	})
	mux.HandleFunc("GET /control/tenants/{tenant}/shops/{shop}/orders", s.controlOrders)
	mux.HandleFunc("POST /control/tenants/{tenant}/shops/{shop}/orders", s.controlAdd)
	mux.HandleFunc("POST /control/tenants/{tenant}/shops/{shop}/token", s.controlToken)
	mux.HandleFunc("GET /control/tenants/{tenant}/orders/{id}", s.controlOne)
	mux.HandleFunc("PATCH /control/tenants/{tenant}/orders/{id}", s.controlChange)
	mux.HandleFunc("DELETE /control/tenants/{tenant}/orders/{id}", s.controlDelete)
	mux.HandleFunc("GET /control/requests", s.controlRequests)
	mux.HandleFunc("DELETE /control/requests", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetRequests()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /control/engine", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Engine()) })
	mux.HandleFunc("PUT /control/engine", s.controlEngine)
	mux.HandleFunc("POST /control/engine/advance", s.controlAdvance)
	mux.HandleFunc("GET /control/dirt", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Dirt()) })
	mux.HandleFunc("PUT /control/dirt", s.controlDirt)
	s.routeTrouble(mux)
	mux.HandleFunc("/control/", func(w http.ResponseWriter, _ *http.Request) {
		complain(w, http.StatusNotFound, "The control door has no such path; GET /control lists them.")
	})
}

// The bodies of the control door.
type (
	shopList struct {
		Shops []ShopInfo `json:"shops"`
	}
	orderList struct {
		Orders []Order `json:"orders"`
		Next   int64   `json:"next,omitempty"` // ask again with after=next; absent at the end
	}
	addition struct {
		Count  int    `json:"count"`
		Change Change `json:"change"`
	}
	requestList struct {
		Shops  []RequestCount `json:"shops"`
		Strays int            `json:"strays"`
	}
	newToken struct {
		Token string `json:"token"`
	}
	leap struct {
		By string `json:"by"`
	}
	leapt struct {
		Moves int `json:"moves"`
	}
)

func (s *Server) controlOrders(w http.ResponseWriter, r *http.Request) {
	after, limit := int64(0), 1000
	var err error
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil {
			refuse(w, fmt.Errorf("%w: after is an order id", ErrInvalid))
			return
		}
	}
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			refuse(w, fmt.Errorf("%w: limit is a positive number", ErrInvalid))
			return
		}
	}
	s.mu.RLock()
	_, sh, err := s.find(r.PathValue("tenant"), r.PathValue("shop"))
	if err != nil {
		s.mu.RUnlock()
		refuse(w, err)
		return
	}
	rows := sh.ids.after(&key{ID: after}, false, limit+1)
	s.mu.RUnlock()
	list := orderList{Orders: make([]Order, 0, len(rows))}
	for _, o := range rows[:min(limit, len(rows))] {
		list.Orders = append(list.Orders, *o)
	}
	if len(rows) > limit {
		list.Next = rows[limit-1].ID
	}
	answer(w, http.StatusOK, list)
}

func (s *Server) controlAdd(w http.ResponseWriter, r *http.Request) {
	body := addition{Count: 1}
	if !decode(w, r, &body) {
		return
	}
	orders, err := s.AddOrders(r.PathValue("tenant"), r.PathValue("shop"), body.Count, body.Change)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusCreated, orderList{Orders: orders})
}

func (s *Server) controlToken(w http.ResponseWriter, r *http.Request) {
	token, err := s.RegenerateToken(r.PathValue("tenant"), r.PathValue("shop"))
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, newToken{token})
}

func (s *Server) controlOne(w http.ResponseWriter, r *http.Request) {
	id, ok := orderID(w, r)
	if !ok {
		return
	}
	o, err := s.Order(r.PathValue("tenant"), id)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, o)
}

func (s *Server) controlChange(w http.ResponseWriter, r *http.Request) {
	id, ok := orderID(w, r)
	var change Change
	if !ok || !decode(w, r, &change) {
		return
	}
	o, err := s.ChangeOrder(r.PathValue("tenant"), id, change)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, o)
}

func (s *Server) controlDelete(w http.ResponseWriter, r *http.Request) {
	id, ok := orderID(w, r)
	if !ok {
		return
	}
	if err := s.DeleteOrder(r.PathValue("tenant"), id); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) controlRequests(w http.ResponseWriter, _ *http.Request) {
	shops, strays := s.Requests()
	answer(w, http.StatusOK, requestList{Shops: shops, Strays: strays})
}

func (s *Server) controlEngine(w http.ResponseWriter, r *http.Request) {
	settings := s.Engine()
	if !decode(w, r, &settings) {
		return
	}
	if err := s.SetEngine(settings); err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, s.Engine())
}

func (s *Server) controlAdvance(w http.ResponseWriter, r *http.Request) {
	var body leap
	if !decode(w, r, &body) {
		return
	}
	by, err := time.ParseDuration(body.By)
	if err != nil || by < 0 {
		refuse(w, fmt.Errorf(`%w: by is a duration like "48h"`, ErrInvalid))
		return
	}
	answer(w, http.StatusOK, leapt{s.Advance(by)})
}

func (s *Server) controlDirt(w http.ResponseWriter, r *http.Request) {
	dirt := s.Dirt()
	if !decode(w, r, &dirt) {
		return
	}
	if err := s.SetDirt(dirt); err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, s.Dirt())
}

func orderID(w http.ResponseWriter, r *http.Request) (int64, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		refuse(w, fmt.Errorf("%w: an order id is a number", ErrInvalid))
		return 0, false
	}
	return id, true
}

// decode reads a strict JSON body, so that a misspelt switch is not a silent no-op.
func decode[T any](w http.ResponseWriter, r *http.Request, into *T) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		refuse(w, fmt.Errorf("%w: %w", ErrInvalid, err))
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, err error) {
	status := http.StatusNotFound
	if errors.Is(err, ErrInvalid) {
		status = http.StatusBadRequest
	}
	complain(w, status, err.Error())
}
