// Package geodata reads location files and looks addresses up in them.
package geodata
