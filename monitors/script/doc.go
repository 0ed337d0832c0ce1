// Package script runs programs with the interface of Nagios plugins: the exit code says how things are, the first line of
// output why, and numbers may follow a "|" in it.
//
// The document says what is run and with which arguments; the node file says from which directories. There is no shell between
// them. A program has the environment that it is given and nothing else of this process, /dev/null to read, and a process group of
// its own, which is killed as a whole when the time is over or the program has ended. What it writes is read to a limit.
package script
