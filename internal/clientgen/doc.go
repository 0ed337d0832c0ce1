// Package clientgen writes the Go client of the REST interface from its OpenAPI document: one method for each operation, with the types of package
// api/resource. A test compares what it writes with what is there.
package clientgen
