package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// explained wraps an error of etcd, so that it says what to do. It wraps errSaidNo where etcd has answered.
func explained(doing string, err error) error {
	text := advice(err)
	if text != "" {
		text = "; " + text
	}
	if saidNo(err) {
		return fmt.Errorf("%s: %w: %w%s", doing, errSaidNo, err, text)
	}
	return fmt.Errorf("%s: %w%s", doing, err, text)
}

// saidNo reports whether an error is etcd's answer, and not for want of one.
func saidNo(err error) bool {
	var e rpctypes.EtcdError
	if !errors.As(rpctypes.Error(err), &e) {
		return false
	}
	switch e.Code().String() {
	case "Unavailable", "DeadlineExceeded", "Canceled", "Unknown", "Aborted", "Internal":
		return false
	}
	return true
}

// advice says what an operator can do about an error of etcd. Empty: nothing that the error does not say.
func advice(err error) string {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(rpctypes.Error(err), t) {
				return true
			}
		}
		return false
	}
	text := err.Error()
	switch {
	case is(rpctypes.ErrNoSpace):
		return "etcd is full: compact and defragment it, or give it a larger --quota-backend-bytes, then etcdctl alarm disarm"
	case is(rpctypes.ErrPermissionDenied):
		return "the user lacks a right: etcdctl role grant-permission ROLE readwrite --prefix=true PREFIX/"
	case is(rpctypes.ErrAuthFailed, rpctypes.ErrInvalidAuthToken, rpctypes.ErrAuthOldRevision), is(rpctypes.ErrUserNotFound):
		return "etcd does not know the user, or another password: look at config.store.etcd.user and password_file, which is read again at each try"
	case is(rpctypes.ErrUserEmpty):
		return "etcd asks who this is: set config.store.etcd.user and password_file"
	case is(rpctypes.ErrAuthNotEnabled):
		return "etcd has no users: remove config.store.etcd.user and password_file, or etcdctl auth enable"
	case is(rpctypes.ErrNoLeader, rpctypes.ErrLeaderChanged, rpctypes.ErrTimeout, rpctypes.ErrTimeoutDueToLeaderFail, rpctypes.ErrTimeoutDueToConnectionLost,
		rpctypes.ErrTimeoutWaitAppliedIndex):
		return "etcd has no leader: more than half of its members have to run and to reach each other"
	case strings.Contains(text, "bad certificate"), strings.Contains(text, "certificate required"), strings.Contains(text, "unknown certificate authority"), strings.Contains(text, "expired certificate"):
		return "etcd does not take this node's certificate: look at config.store.etcd.tls.cert and key, which are read again at each try"
	case strings.Contains(text, "x509: "):
		return "this node does not take etcd's certificate: look at config.store.etcd.tls.ca and at the names in the certificate"
	case errors.Is(rpctypes.Error(err), context.DeadlineExceeded), strings.Contains(text, "context deadline exceeded"), strings.Contains(text, "DeadlineExceeded"):
		return "no member answered in time: they are out of reach, or slow, or more than half of them are gone"
	}
	return ""
}
