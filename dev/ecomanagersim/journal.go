package ecomanagersim

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// journal is a file of one JSON entry a line: every order as it became, every deletion, every new token. The last word on an order
// wins. It is rewritten at each start, one line an order, and only ever appended to in between, so a kill loses at most the last line
// (which load then ignores). A nil journal writes nothing.
type journal struct {
	file *os.File
	out  *json.Encoder
}

// entry is one line: exactly one field is set.
type entry struct {
	Order   *Order        `json:"order,omitempty"`
	Deleted *deletedEntry `json:"deleted,omitempty"`
	Token   *tokenEntry   `json:"token,omitempty"`
	LastID  *lastIDEntry  `json:"lastId,omitempty"`
	Hook    *Hook         `json:"hook,omitempty"`
	NoHook  *Hook         `json:"noHook,omitempty"` // deleted
}

type deletedEntry struct {
	Tenant string `json:"tenant"`
	ID     int64  `json:"id"`
}

type tokenEntry struct {
	Tenant string `json:"tenant"`
	Shop   string `json:"shop"`
	Token  string `json:"token"`
}

// lastIDEntry keeps a tenant's sequence above orders that were deleted: an id is never given out twice.
type lastIDEntry struct {
	Tenant string `json:"tenant"`
	ID     int64  `json:"id"`
}

func (j *journal) write(e entry) {
	if j != nil {
		_ = j.out.Encode(e) // a full disk must not stop the simulator; the next start begins from what was written
	}
}

func (j *journal) order(o *Order) { j.write(entry{Order: o}) }

func (j *journal) deletion(o *Order) {
	j.write(entry{Deleted: &deletedEntry{Tenant: o.Tenant, ID: o.ID}})
}

func (j *journal) token(t *tenant, sh *shop) {
	j.write(entry{Token: &tokenEntry{Tenant: t.cfg.Name, Shop: sh.cfg.Name, Token: sh.cfg.Token}})
}

func (j *journal) hook(h *Hook)     { j.write(entry{Hook: h}) }
func (j *journal) hookGone(h *Hook) { j.write(entry{NoHook: h}) }

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// load reads the journal, if there is one, in place of generating the past.
func (s *Server) load(now time.Time) (bool, error) {
	if s.cfg.StatePath == "" {
		return false, nil
	}
	f, err := os.Open(s.cfg.StatePath)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	s.bulk = true
	s.engine.now = now
	dec := json.NewDecoder(bufio.NewReader(f))
	for {
		var e entry
		if err := dec.Decode(&e); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return false, fmt.Errorf("%s: %w (remove the file to start a new world)", s.cfg.StatePath, err)
		}
		if err := s.replay(e); err != nil {
			return false, fmt.Errorf("%s: %w (remove the file to start a new world)", s.cfg.StatePath, err)
		}
	}
	s.settle()
	// Continue the sequence of choices elsewhere than at its beginning: the same seed must not repeat the orders it already made.
	s.engine.serial = mix(uint64(now.Unix())) >> 16
	for _, t := range s.tenants {
		for _, sh := range t.shops {
			for _, o := range sh.ids.rows {
				s.schedule(t, sh, o)
			}
		}
	}
	return true, nil
}

func (s *Server) replay(e entry) error {
	switch {
	case e.Order != nil:
		t, sh, err := s.find(e.Order.Tenant, e.Order.Shop)
		if err != nil {
			return err
		}
		s.put(t, sh, e.Order)
	case e.Deleted != nil:
		t, err := s.tenant(e.Deleted.Tenant)
		if err != nil {
			return err
		}
		delete(t.orders, e.Deleted.ID)
	case e.Token != nil:
		t, sh, err := s.find(e.Token.Tenant, e.Token.Shop)
		if err != nil {
			return err
		}
		if sh.cfg.Token != e.Token.Token {
			s.replaceToken(t, sh, e.Token.Token)
		}
	case e.LastID != nil:
		t, err := s.tenant(e.LastID.Tenant)
		if err != nil {
			return err
		}
		t.lastID = max(t.lastID, e.LastID.ID)
	case e.Hook != nil:
		_, sh, err := s.find(e.Hook.Tenant, e.Hook.Shop)
		if err != nil {
			return err
		}
		sh.hooks = append(slices.DeleteFunc(sh.hooks, func(h *Hook) bool { return h.ID == e.Hook.ID }), e.Hook)
		slices.SortFunc(sh.hooks, func(a, b *Hook) int { return cmp.Compare(a.ID, b.ID) })
		s.lastHook = max(s.lastHook, e.Hook.ID)
	case e.NoHook != nil:
		_, sh, err := s.find(e.NoHook.Tenant, e.NoHook.Shop)
		if err != nil {
			return err
		}
		sh.hooks = slices.DeleteFunc(sh.hooks, func(h *Hook) bool { return h.ID == e.NoHook.ID })
		s.lastHook = max(s.lastHook, e.NoHook.ID)
	}
	return nil
}

// openJournal writes the present world to a new file, puts it in the old one's place, and keeps it open for what happens next.
func (s *Server) openJournal() (err error) {
	if s.cfg.StatePath == "" {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(s.cfg.StatePath), filepath.Base(s.cfg.StatePath)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	buffered := bufio.NewWriterSize(f, 1<<20)
	snapshot := &journal{file: f, out: json.NewEncoder(buffered)}
	for _, t := range s.tenants {
		snapshot.write(entry{LastID: &lastIDEntry{Tenant: t.cfg.Name, ID: t.lastID}})
		for _, sh := range t.shops {
			snapshot.token(t, sh)
			for _, o := range sh.ids.rows {
				snapshot.order(o)
			}
			for _, h := range sh.hooks {
				snapshot.hook(h)
			}
		}
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), s.cfg.StatePath); err != nil {
		return err
	}
	s.journal = &journal{file: f, out: json.NewEncoder(f)}
	return nil
}
