// Package signing is the domain of the keys that sign access tokens: which one signs now, which ones are published, when the next
// one is made and when the last one goes.
//
// The rules are pure (Set); Keyring keeps a Set in memory beside the store and makes the next key when it is due. Any number of
// replicas may do so at once: keys are numbered, and of two with the same number one INSERT wins.
//
// It never makes or reads a token (kit/auth does) and knows no user.
package signing
