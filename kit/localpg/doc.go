// Package localpg starts and stops a private PostgreSQL from the binaries that are
// installed on the machine, for tests and for the launcher: nobody has to run a
// database by hand, and no test touches one that belongs to somebody else.
//
// It owns: finding the binaries, making the cluster, the process and its end, also
// when the parent is killed. It downloads nothing and never touches a cluster it was
// not given.
//
// Start reading at Start.
package localpg
