//go:build !linux

package main

import (
	"errors"
	"net"
	"time"
)

var errLinux = errors.New("this program runs on Linux")

type usage struct {
	user, kernel time.Duration
	peakMiB      float64
}

func readUsage() usage { return usage{} }

func servePlain() error { return errLinux }

func echo(*net.UDPConn) error { return errLinux }

func pin() (done bool, err error) { return false, errLinux }

func besides(start func() error) error { return start() }
