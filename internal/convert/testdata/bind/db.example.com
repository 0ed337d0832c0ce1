$TTL 3600
@   IN SOA ns1 john\.doe.example.com. (
        2025010101 7200 900 1209600 300 )
    IN NS ns2.example.net.
    IN NS ns1
    IN MX 10 mail
ns1 IN A 192.0.2.53
mail 300 IN A 192.0.2.25
     IN AAAA 2001:db8::25
www IN CNAME mail
sub IN NS ns.sub
ns.sub IN A 192.0.2.54
_sip._tcp IN SRV 10 5 5060 mail
@ IN TXT "v=spf1 mx -all" "x;y"
@ IN DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
@ IN NSEC mail.example.com. NS SOA MX TXT
other.example.org. IN A 192.0.2.1
