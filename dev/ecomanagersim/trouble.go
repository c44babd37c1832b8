package ecomanagersim

import (
	"fmt"
	"net/http"
	"strconv"
)

// routeTrouble adds the part of the control door that makes life hard: quotas, faults, webhooks and bulk changes.
func (s *Server) routeTrouble(mux *http.ServeMux) {
	const shop = "/control/tenants/{tenant}/shops/{shop}"
	mux.HandleFunc("GET "+shop+"/quota", s.controlShopQuota)
	mux.HandleFunc("PUT "+shop+"/quota", s.controlSetShopQuota)
	mux.HandleFunc("POST "+shop+"/quota/spend", s.controlSpend)
	mux.HandleFunc("GET /control/quota", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.commonQuota()) })
	mux.HandleFunc("PUT /control/quota", s.controlQuota)

	mux.HandleFunc("GET /control/faults", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, faultList{s.Faults()})
	})
	mux.HandleFunc("POST /control/faults", s.controlAddFault)
	mux.HandleFunc("DELETE /control/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /control/faults/{id}", s.controlRemoveFault)

	mux.HandleFunc("GET "+shop+"/webhooks", s.controlHooks)
	mux.HandleFunc("GET /control/webhooks", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.hookState()) })
	mux.HandleFunc("PUT /control/webhooks", s.controlHookSpeed)

	mux.HandleFunc("PATCH "+shop+"/orders", s.controlChangeMany)
	mux.HandleFunc("DELETE "+shop+"/orders", s.controlDeleteMany)
}

// The bodies of this part.
type (
	faultList struct {
		Faults []Fault `json:"faults"`
	}
	spending struct {
		Window Window `json:"window"`
	}
	bulkChange struct {
		Pick
		Change Change `json:"change"`
	}
	hookList struct {
		Webhooks []Hook `json:"webhooks"`
	}
	hookState struct {
		Speed   float64 `json:"speed"`
		Pending int     `json:"pending"`
	}
	hookSpeed struct {
		Speed float64 `json:"speed"`
	}
	idList struct {
		IDs []int64 `json:"ids"`
	}
)

func (s *Server) commonQuota() Quota {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.quota
}

func (s *Server) controlQuota(w http.ResponseWriter, r *http.Request) {
	q := s.commonQuota()
	if !decode(w, r, &q) {
		return
	}
	if err := s.SetQuota(q); err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, q)
}

func (s *Server) controlShopQuota(w http.ResponseWriter, r *http.Request) {
	q, err := s.Quota(r.PathValue("tenant"), r.PathValue("shop"))
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, q)
}

func (s *Server) controlSetShopQuota(w http.ResponseWriter, r *http.Request) {
	tenant, shop := r.PathValue("tenant"), r.PathValue("shop")
	q, err := s.Quota(tenant, shop)
	if err != nil {
		refuse(w, err)
		return
	}
	if !decode(w, r, &q) {
		return
	}
	if err := s.SetShopQuota(tenant, shop, q); err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, q)
}

func (s *Server) controlSpend(w http.ResponseWriter, r *http.Request) {
	var body spending
	if !decode(w, r, &body) {
		return
	}
	if err := s.SpendQuota(r.PathValue("tenant"), r.PathValue("shop"), body.Window); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) controlAddFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if !decode(w, r, &f) {
		return
	}
	f, err := s.AddFault(f)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusCreated, f)
}

func (s *Server) controlRemoveFault(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		refuse(w, fmt.Errorf("%w: a fault's id is a number", ErrInvalid))
		return
	}
	if err := s.RemoveFault(id); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) controlChangeMany(w http.ResponseWriter, r *http.Request) {
	var body bulkChange
	if !decode(w, r, &body) {
		return
	}
	orders, err := s.ChangeOrders(r.PathValue("tenant"), r.PathValue("shop"), body.Pick, body.Change)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, orderList{Orders: orders})
}

func (s *Server) controlDeleteMany(w http.ResponseWriter, r *http.Request) {
	var pick Pick
	if !decode(w, r, &pick) {
		return
	}
	ids, err := s.DeleteOrders(r.PathValue("tenant"), r.PathValue("shop"), pick)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, idList{ids})
}

func (s *Server) controlHooks(w http.ResponseWriter, r *http.Request) {
	hooks, err := s.Hooks(r.PathValue("tenant"), r.PathValue("shop"))
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, hookList{hooks})
}

func (s *Server) hookState() hookState {
	return hookState{Speed: s.HookSpeed(), Pending: s.PendingDeliveries()}
}

func (s *Server) controlHookSpeed(w http.ResponseWriter, r *http.Request) {
	body := hookSpeed{Speed: s.HookSpeed()}
	if !decode(w, r, &body) {
		return
	}
	if err := s.SetHookSpeed(body.Speed); err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, s.hookState())
}
