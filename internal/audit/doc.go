// Package audit keeps the audit log: who changed what, when and why, as lines of JSON, each of which carries the hash of the one
// before. A line is on disk before the change is acknowledged.
package audit
