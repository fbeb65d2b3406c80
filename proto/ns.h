#pragma once

/* Every namespace, with its document. */

#define NS_CLIENT       "jabber:client"                             /* RFC 6120 */
#define NS_SERVER       "jabber:server"                             /* RFC 6120 */
#define NS_STREAM       "http://etherx.jabber.org/streams"          /* RFC 6120 4.8 */
#define NS_STREAMS      "urn:ietf:params:xml:ns:xmpp-streams"       /* RFC 6120 4.9 */
#define NS_STANZAS      "urn:ietf:params:xml:ns:xmpp-stanzas"       /* RFC 6120 8.3 */
#define NS_TLS          "urn:ietf:params:xml:ns:xmpp-tls"           /* RFC 6120 5 */
#define NS_SASL         "urn:ietf:params:xml:ns:xmpp-sasl"          /* RFC 6120 6 */
#define NS_BIND         "urn:ietf:params:xml:ns:xmpp-bind"          /* RFC 6120 7 */
#define NS_SESSION      "urn:ietf:params:xml:ns:xmpp-session"       /* RFC 3921 3 */
#define NS_ROSTER       "jabber:iq:roster"                          /* RFC 6121 2 */
#define NS_ROSTERVER    "urn:xmpp:features:rosterver"               /* RFC 6121 2.6 */
#define NS_PREAPPROVAL  "urn:xmpp:features:pre-approval"            /* RFC 6121 3.4 */
#define NS_LAST         "jabber:iq:last"                            /* XEP-0012 */
#define NS_DISCO_INFO   "http://jabber.org/protocol/disco#info"     /* XEP-0030 */
#define NS_DISCO_ITEMS  "http://jabber.org/protocol/disco#items"    /* XEP-0030 */
#define NS_MUC          "http://jabber.org/protocol/muc"            /* XEP-0045 */
#define NS_MUC_USER     "http://jabber.org/protocol/muc#user"       /* XEP-0045 */
#define NS_MUC_ADMIN    "http://jabber.org/protocol/muc#admin"      /* XEP-0045 */
#define NS_MUC_OWNER    "http://jabber.org/protocol/muc#owner"      /* XEP-0045 */
#define NS_DATA         "jabber:x:data"                             /* XEP-0004 */
#define NS_OFFLINE      "http://jabber.org/protocol/offline"        /* XEP-0013 */
#define NS_COMMANDS     "http://jabber.org/protocol/commands"       /* XEP-0050 */
#define NS_SEARCH       "jabber:iq:search"                          /* XEP-0055 */
#define NS_ADMIN        "http://jabber.org/protocol/admin"          /* XEP-0133 */
#define NS_SERVERINFO   "http://jabber.org/network/serverinfo"      /* XEP-0157 */
#define NS_EXTDISCO     "urn:xmpp:extdisco:2"                       /* XEP-0215 */
#define NS_SOS          "urn:xmpp:sos:0"                            /* XEP-0455 */
#define NS_PRIVATE      "jabber:iq:private"                         /* XEP-0049 */
#define NS_CONFERENCE   "jabber:x:conference"                       /* XEP-0249 */
#define NS_VCARD        "vcard-temp"                                /* XEP-0054 */
#define NS_VCARD4       "urn:ietf:params:xml:ns:vcard-4.0"          /* XEP-0292 */
#define NS_RSM          "http://jabber.org/protocol/rsm"            /* XEP-0059 */
#define NS_ADDRESS      "http://jabber.org/protocol/address"        /* XEP-0033 */
#define NS_PUBSUB       "http://jabber.org/protocol/pubsub"         /* XEP-0060 */
#define NS_PUBSUB_ERRORS "http://jabber.org/protocol/pubsub#errors" /* XEP-0060 */
#define NS_PUBSUB_EVENT "http://jabber.org/protocol/pubsub#event"   /* XEP-0060 */
#define NS_PUBSUB_OWNER "http://jabber.org/protocol/pubsub#owner"   /* XEP-0060 */
#define NS_REGISTER     "jabber:iq:register"                        /* XEP-0077 */
#define NS_REGISTER_F   "http://jabber.org/features/iq-register"    /* XEP-0077 8 */
#define NS_CHATSTATES   "http://jabber.org/protocol/chatstates"     /* XEP-0085 */
#define NS_VERSION      "jabber:iq:version"                         /* XEP-0092 */
#define NS_VALIDATE     "http://jabber.org/protocol/xdata-validate" /* XEP-0122 */
#define NS_COMPONENT    "jabber:component:accept"                   /* XEP-0114 */
#define NS_CAPS         "http://jabber.org/protocol/caps"           /* XEP-0115 */
#define NS_OFFLINE_F    "msgoffline"                                /* XEP-0160 */
#define NS_RECEIPTS     "urn:xmpp:receipts"                         /* XEP-0184 */
#define NS_SM           "urn:xmpp:sm:3"                             /* XEP-0198 */
#define NS_BLOCKING     "urn:xmpp:blocking"                         /* XEP-0191 */
#define NS_BLOCKING_E   "urn:xmpp:blocking:errors"                  /* XEP-0191 3.3 */
#define NS_PING         "urn:xmpp:ping"                             /* XEP-0199 */
#define NS_TIME         "urn:xmpp:time"                             /* XEP-0202 */
#define NS_DELAY        "urn:xmpp:delay"                            /* XEP-0203 */
#define NS_DIALBACK     "jabber:server:dialback"                    /* XEP-0220 */
#define NS_DIALBACK_F   "urn:xmpp:features:dialback"                /* XEP-0220 */
#define NS_CARBONS      "urn:xmpp:carbons:2"                        /* XEP-0280 */
#define NS_CARBON_RULES "urn:xmpp:carbons:rules:0"                  /* XEP-0280 6.2 */
#define NS_FORWARD      "urn:xmpp:forward:0"                        /* XEP-0297 */
#define NS_MAM          "urn:xmpp:mam:2"                            /* XEP-0313 */
#define NS_MAM_EXTENDED "urn:xmpp:mam:2#extended"                   /* XEP-0313 */
#define NS_MAM_CONFIGURE "urn:xmpp:mam#configure"                  /* XEP-0441 2.2 */
#define NS_MAM_GROUPS   "urn:xmpp:mam:2#groupchat-field"            /* XEP-0313 */
#define NS_MARKERS      "urn:xmpp:chat-markers:0"                   /* XEP-0333 */
#define NS_HINTS        "urn:xmpp:hints"                            /* XEP-0334 */
#define NS_CSI          "urn:xmpp:csi:0"                            /* XEP-0352 */
#define NS_SID          "urn:xmpp:sid:0"                            /* XEP-0359 */
#define NS_REPORTING    "urn:xmpp:reporting:1"                      /* XEP-0377 */
#define NS_REPORTING_0  "urn:xmpp:reporting:0"                      /* the same before its version 0.3 */
#define NS_EME          "urn:xmpp:eme:0"                            /* XEP-0380 */
#define NS_CAPS_2       "urn:xmpp:caps"                             /* XEP-0390 */
#define NS_BOOKMARKS    "storage:bookmarks"                         /* XEP-0048 */
#define NS_BOOKMARKS_2  "urn:xmpp:bookmarks:1"                      /* XEP-0402 */
#define NS_AVATAR_DATA  "urn:xmpp:avatar:data"                      /* XEP-0084 */
#define NS_AVATAR       "urn:xmpp:avatar:metadata"                  /* XEP-0084 */
#define NS_VCARD_UPDATE "vcard-temp:x:update"                       /* XEP-0153 */
#define NS_HASHES       "urn:xmpp:hashes:2"                         /* XEP-0300 */
#define NS_XML          "http://www.w3.org/XML/1998/namespace"      /* xml:lang */
#define NS_BIND2        "urn:xmpp:bind:0"                           /* XEP-0386 */
#define NS_SASL2        "urn:xmpp:sasl:2"                           /* XEP-0388 */
#define NS_JINGLE_MESSAGE "urn:xmpp:jingle-message:0"               /* XEP-0353 */
#define NS_LIMITS       "urn:xmpp:stream-limits:0"                  /* XEP-0478 */
#define NS_RETRACT      "urn:xmpp:message-retract:1"                /* XEP-0424 */
#define NS_RETRACT_TOMB "urn:xmpp:message-retract:1#tombstone"      /* XEP-0424 */
#define NS_DATA_POLICY  "urn:xmpp:data-policy:0"                    /* XEP-0504 */
#define NS_PUSH         "urn:xmpp:push:0"                           /* XEP-0357 */
#define NS_PUSH_SUMMARY "urn:xmpp:push:summary"                     /* XEP-0357 */
#define NS_FULLTEXT     "urn:xmpp:fulltext:0"                       /* XEP-0431 */
#define NS_CAM          "urn:xmpp:cam:0"                            /* XEP-0494 */
#define NS_FAST         "urn:xmpp:fast:0"                           /* XEP-0484 */
#define NS_SASL_CB      "urn:xmpp:sasl-cb:0"                        /* XEP-0440 */
#define NS_SASL_UPGRADE "urn:xmpp:sasl:upgrade:0"                   /* XEP-0480 2 */
#define NS_SCRAM_UPGRADE "urn:xmpp:scram-upgrade:0"                 /* XEP-0480 3 */
#define NS_OMEMO        "eu.siacs.conversations.axolotl"            /* XEP-0384 0.3 */
