package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

// What is asked, and what the targets answer.
const (
	question = "are you there?"
	response = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
	// lookEvery is how often the targets of tcp and http look for work.
	lookEvery = 2 * time.Millisecond
)

// serve is all targets of one kind, until the standard input ends. It prints its port.
func serve(kind string) error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that counts
		os.Exit(0)
	}()
	switch kind {
	case "tcp", "http":
		return servePlain()
	case "https":
		return serveTLS()
	case "udp":
		return serveUDP()
	}
	fmt.Println(0) // the kernel answers pings
	select {}
}

func serveUDP() error {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	port := c.LocalAddr().(*net.UDPAddr).Port
	fmt.Println(port)
	return echo(c)
}

func serveTLS() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	l, err := tls.Listen("tcp4", ":0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	s := &http.Server{ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })}
	return s.Serve(l)
}
