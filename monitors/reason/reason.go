// Package reason says what went wrong with a probe or a load read, in a few words for an operator who reads them in a table.
package reason

import (
	"bytes"
	"cmp"
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
	maxNamesShown  = 3  // of a certificate
	maxQuoted      = 40 // bytes of what a server or the document says
)

// noName is what a certificate without any is for.
const noName = "no name"

// Stage is the part of an exchange during which something went wrong, as a reason names it.
type Stage string

// Stages.
const (
	Connect  Stage = "connecting"
	TLS      Stage = "in the TLS handshake"
	Answer   Stage = "waiting for first byte"
	Head     Stage = "reading headers"
	Body     Stage = "reading the body"
	Reply    Stage = "waiting for the reply"
	Greeting Stage = "waiting for the greeting"
)

// AnswerTo is the stage of waiting for the answer to a command.
func AnswerTo(command string) Stage { return Stage("waiting for the answer to " + command) }

// StageError is an error with its stage.
type StageError struct {
	Stage Stage
	Err   error
}

// During returns err with the stage in which it came; nil for nil.
func During(stage Stage, err error) error {
	if err == nil {
		return nil
	}
	return &StageError{stage, err}
}

func (e *StageError) Error() string { return string(e.Stage) + ": " + e.Err.Error() }

// Unwrap returns the error without its stage.
func (e *StageError) Unwrap() error { return e.Err }

// Describe says in a few words what an error at now means: for an operator who reads it in a status table. It is one
// printable line; servers put words into it.
func Describe(err error, now time.Time, timeout time.Duration) string {
	during := Stage("")
	if at, ok := errors.AsType[*StageError](err); ok {
		during, err = at.Stage, at.Err
	} else if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		during = Connect
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
	case during == TLS, isCertificate(err), isAlert(err):
		return Printable(describeTLS(err, now))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok { // without the addresses, which stand beside the reason
		network := cmp.Or(strings.TrimRight(op.Net, "46"), "tcp")
		err = fmt.Errorf("%s %s: %w", network, op.Op, op.Err)
		if sys, ok := errors.AsType[syscall.Errno](op.Err); ok {
			err = fmt.Errorf("%s %s: %w", network, op.Op, sys)
		}
	}
	return Printable(err.Error())
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

func isCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// isAlert: of the server, which may send it after the handshake, too: in TLS 1.3 that it does not take the client's certificate.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

func describeTLS(err error, now time.Time) string {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "answer is not TLS"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired && e.Cert != nil {
		if now.Before(e.Cert.NotBefore) {
			return "certificate not valid before " + e.Cert.NotBefore.UTC().Format(time.DateOnly)
		}
		expired := "expired " + e.Cert.NotAfter.UTC().Format(time.DateOnly)
		if e.Cert.IsCA { // an authority's in between: to renew the server's does not mend that
			return fmt.Sprintf("certificate of %q %s", CertificateOf(e.Cert), expired)
		}
		return "certificate " + expired
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok && e.Certificate != nil {
		return fmt.Sprintf("certificate is for %s, not for %q", CertificateNames(e.Certificate), e.Host)
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok && e.Cert != nil {
		if names := CertificateNames(e.Cert); names != noName && bytes.Equal(e.Cert.RawIssuer, e.Cert.RawSubject) {
			return "self-signed certificate for " + names
		}
		return fmt.Sprintf("certificate issued by unknown authority %q", e.Cert.Issuer.CommonName)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if isAlert(err) {
			return "server says " + op.Err.Error()
		}
		return op.Err.Error()
	}
	return err.Error()
}

// CertificateOf is whose certificate that is: the name of its subject, or where that has none, as is usual today, the names that it is for.
func CertificateOf(c *x509.Certificate) string {
	return cmp.Or(c.Subject.CommonName, CertificateNames(c))
}

// CertificateNames lists the names and addresses that a certificate is for, as far as there is room.
func CertificateNames(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0:
		return noName
	case len(names) > maxNamesShown:
		return strings.Join(names[:maxNamesShown], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

// Printable keeps s on one short line.
func Printable(s string) string {
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

// Quote quotes the beginning of s.
func Quote(s string) string {
	if len(s) > maxQuoted {
		return fmt.Sprintf("%q...", s[:maxQuoted])
	}
	return fmt.Sprintf("%q", s)
}
