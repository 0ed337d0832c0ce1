//go:build !windows

package secret

// judgesModes: files have an owner, a group and others.
const judgesModes = true
