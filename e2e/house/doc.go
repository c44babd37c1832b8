// Package house holds the laws of the repository that a compiler and a linter cannot see: which folders a service has, who may import whom,
// that a contract says who may call, that the README tells the truth about the configuration. A red test says which law was broken, where,
// and why the law exists; a newcomer learns the house from it. It reads files only and needs nothing running.
//
// Start with house_test.go, which says what is looked at.
package house
