package ecomanagersim

import "fmt"

// Stage is where an order stands in the shop's work flow. A tenant shows it in its own words (Dialect).
type Stage string

// The stages, in the order of an ordinary life.
const (
	Confirming Stage = "CONFIRMING" // being called by the shop's desk
	Preparing  Stage = "PREPARING"  // confirmed, being packed
	Dispatch   Stage = "DISPATCH"   // handed to the carrier: the state the back office works on
	Delivering Stage = "DELIVERING"
	Delivered  Stage = "DELIVERED"
	Collected  Stage = "COLLECTED" // the cash was collected
	Cancelled  Stage = "CANCELLED"
	Returning  Stage = "RETURNING"
	Returned   Stage = "RETURNED"
)

// Dialect is a tenant's own wording and numbering of states: both differ between tenants, so that nobody keys on either.
type Dialect int

// The dialects in use.
const (
	Feminine Dialect = iota
	Masculine
	dialects
)

type stateWord struct {
	id   int
	name string
}

var stateWords = [dialects]map[Stage]stateWord{
	Feminine: {
		Confirming: {1, "En confirmation"}, Preparing: {2, "En préparation"}, Dispatch: {3, "En dispatch"},
		Delivering: {4, "En livraison"}, Delivered: {5, "Livrée"}, Collected: {6, "Encaissée"},
		Cancelled: {7, "Annulée"}, Returning: {8, "Retour en cours"}, Returned: {9, "Retournée"},
	},
	Masculine: {
		Confirming: {11, "En confirmation"}, Preparing: {12, "En préparation"}, Dispatch: {5, "En dispatch"},
		Delivering: {13, "En livraison"}, Delivered: {20, "Livré"}, Collected: {21, "Encaissé"},
		Cancelled: {30, "Annulé"}, Returning: {40, "Retour vers l'agence"}, Returned: {41, "Retourné"},
	},
}

// Words answers how a tenant of this dialect writes a stage.
func (d Dialect) Words(s Stage) (string, error) {
	w, ok := stateWords[d][s]
	if !ok {
		return "", fmt.Errorf("there is no stage %q", s)
	}
	return w.name, nil
}

// stateID answers the tenant's number of a state; a text outside the dialect has none.
func (d Dialect) stateID(state string) int {
	for _, w := range stateWords[d] {
		if w.name == state {
			return w.id
		}
	}
	return 0
}

// stageOf answers the stage a text stands for, or the stage before when the text is nobody's.
func (d Dialect) stageOf(state string, before Stage) Stage {
	for s, w := range stateWords[d] {
		if w.name == state {
			return s
		}
	}
	return before
}
