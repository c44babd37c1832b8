package order

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// slowAtlas is a database whose wilayas take an hour from the second reading on, and then cannot be read.
type slowAtlas struct {
	Store
	reads int
}

func (a *slowAtlas) Wilayas(context.Context) ([]Wilaya, error) {
	if a.reads++; a.reads > 1 {
		time.Sleep(time.Hour)
		return nil, errors.New("the database is away")
	}
	return someWilayas, nil
}

func TestNobodyWaitsWhileOneCallerReadsTheWilayasAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		atlas := &slowAtlas{}
		s := NewService(atlas, time.UTC, time.Now)
		if g, err := s.gazetteer(t.Context()); err != nil || !g.Knows(16) {
			t.Fatal(g, err)
		}
		time.Sleep(atlasAge)
		refreshed := make(chan struct{})
		go func() {
			defer close(refreshed)
			if g, err := s.gazetteer(t.Context()); err != nil || !g.Knows(16) {
				t.Errorf("a refresh that failed took the wilayas away: %v", err)
			}
		}()
		synctest.Wait()
		began := time.Now()
		if g, err := s.gazetteer(t.Context()); err != nil || !g.Knows(16) || time.Since(began) != 0 {
			t.Errorf("waited %v for somebody else's query: %v", time.Since(began), err)
		}
		<-refreshed
	})
}
