package monitors

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Limits of a reason.
const (
	maxReasonRunes = 160
	maxNamesShown  = 3 // of a certificate
)

// stage is the part of an exchange during which something went wrong, as a reason names it.
type stage string

const (
	stageConnect stage = "connecting"
	stageTLS     stage = "in the TLS handshake"
	stageAnswer  stage = "waiting for first byte"
	stageHead    stage = "reading headers"
	stageBody    stage = "reading the body"
)

// stageError is an error with its stage.
type stageError struct {
	stage stage
	err   error
}

func (e *stageError) Error() string { return string(e.stage) + ": " + e.err.Error() }

func (e *stageError) Unwrap() error { return e.err }

// describe says in a few words what an error at now means: for an operator who reads it in a status table. It is one
// printable line; servers put words into it.
func describe(err error, now time.Time, timeout time.Duration) string {
	during := stage("")
	if at, ok := errors.AsType[*stageError](err); ok {
		during, err = at.stage, at.err
	} else if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		during = stageConnect
	}
	switch {
	case isTimeout(err):
		return strings.TrimSpace(fmt.Sprintf("timed out after %v %s", timeout, during))
	case errors.Is(err, syscall.ECONNREFUSED):
		return "tcp connect refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return strings.TrimSpace("connection reset " + string(during))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return strings.TrimSpace("connection closed " + string(during))
	case during == stageTLS, isCertificate(err):
		return printable(describeTLS(err, now))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok { // without the addresses, which stand beside the reason
		err = fmt.Errorf("tcp %s: %w", op.Op, op.Err)
		if sys, ok := errors.AsType[syscall.Errno](op.Err); ok {
			err = fmt.Errorf("tcp %s: %w", op.Op, sys)
		}
	}
	return printable(err.Error())
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

func isCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

func describeTLS(err error, now time.Time) string {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "answer is not TLS"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired && e.Cert != nil {
		if now.Before(e.Cert.NotBefore) {
			return "certificate not valid before " + e.Cert.NotBefore.UTC().Format(time.DateOnly)
		}
		return "certificate expired " + e.Cert.NotAfter.UTC().Format(time.DateOnly)
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok && e.Certificate != nil {
		return fmt.Sprintf("certificate is for %s, not for %q", certificateNames(e.Certificate), e.Host)
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok && e.Cert != nil {
		return fmt.Sprintf("certificate issued by unknown authority %q", e.Cert.Issuer.CommonName)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok { // an alert of the server
		return op.Err.Error()
	}
	return err.Error()
}

func certificateNames(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0:
		return "no name"
	case len(names) > maxNamesShown:
		return strings.Join(names[:maxNamesShown], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

// printable keeps s on one short line.
func printable(s string) string {
	var b strings.Builder
	count := 0
	for _, r := range s {
		if count++; count > maxReasonRunes {
			return b.String() + "..."
		}
		if !unicode.IsPrint(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
