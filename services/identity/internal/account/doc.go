// Package account is the domain of identity: users and their roles, passwords, sessions and the limits of guessing.
//
// It owns the rules: who may change whom (Role, User), what a password must be (Password), how many failures a login may have
// (Failures), when a refresh token is rotated, answered again or taken for stolen (Family), and how the first administrator
// comes to be (Bootstrap). It does no I/O: Store, Hasher and Issuer are ports, time and ids are injected.
//
// It never decides what a role may call (the contract does, for every service) and never signs (package signing keeps the keys).
// Start reading at Service.
package account
