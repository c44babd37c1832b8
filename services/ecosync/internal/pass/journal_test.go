package pass_test

import (
	"testing"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/pass/passtest"
)

func TestTheJournalOfTheseTestsKeepsTheContract(t *testing.T) {
	passtest.JournalSuite(t, func(*testing.T) passtest.Subject {
		j := passtest.NewJournal()
		j.Add("s")
		return passtest.Subject{
			Journal: j, StoreID: "s",
			Expire: func() { j.Expire("s") }, Pause: func() { j.Pause("s") }, Resume: func() { j.Resume("s") },
		}
	})
}
