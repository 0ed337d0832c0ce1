// Package writes is what every store of documents asks of a write before it keeps it: that it is within limits and based on what is current, what it
// makes of the document, that this can be served, and that no name loses its answers by accident. It keeps nothing.
package writes
