// Package access says who asks the HTTP interface and what they may do there: tokens in a file, subjects of client certificates,
// roles, and limits to labels. It decides; package api refuses.
package access
