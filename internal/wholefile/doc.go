// Package wholefile replaces files as a whole: who reads one finds all of what was there before or all of what is there now,
// also when the power fails in between.
package wholefile
