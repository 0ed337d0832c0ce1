// Package cookie makes and verifies DNS server cookies (RFC 7873) in the form that servers of several makers share
// (RFC 9018): whoever has the secret can verify what another server made.
//
// A cookie shows that its sender receives what is sent to its address. Package adns exempts such clients from rate
// limits; nobody is refused for want of a cookie as long as no limit is reached.
package cookie
