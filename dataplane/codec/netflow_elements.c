#include "dataplane/codec/netflow_elements.h"

#include <string.h>

#include "dataplane/codec/number.h"

/* IANA, "IP Flow Information Export (IPFIX) Entities" (RFC 7012). Below 128 they are NetFlow v9's too (RFC 3954 8). */
/* clang-format off */
#define ELEMENTS(E) \
	E(1, UNSIGNED, octetDeltaCount) E(2, UNSIGNED, packetDeltaCount) E(3, UNSIGNED, deltaFlowCount) \
	E(4, UNSIGNED, protocolIdentifier) E(5, UNSIGNED, ipClassOfService) E(6, UNSIGNED, tcpControlBits) \
	E(7, UNSIGNED, sourceTransportPort) E(8, ADDRESS4, sourceIPv4Address) \
	E(9, UNSIGNED, sourceIPv4PrefixLength) E(10, UNSIGNED, ingressInterface) \
	E(11, UNSIGNED, destinationTransportPort) E(12, ADDRESS4, destinationIPv4Address) \
	E(13, UNSIGNED, destinationIPv4PrefixLength) E(14, UNSIGNED, egressInterface) \
	E(15, ADDRESS4, ipNextHopIPv4Address) E(16, UNSIGNED, bgpSourceAsNumber) \
	E(17, UNSIGNED, bgpDestinationAsNumber) E(18, ADDRESS4, bgpNextHopIPv4Address) \
	E(19, UNSIGNED, postMCastPacketDeltaCount) E(20, UNSIGNED, postMCastOctetDeltaCount) \
	E(21, UPTIME_END, flowEndSysUpTime) E(22, UPTIME_START, flowStartSysUpTime) \
	E(23, UNSIGNED, postOctetDeltaCount) E(24, UNSIGNED, postPacketDeltaCount) \
	E(25, UNSIGNED, minimumIpTotalLength) E(26, UNSIGNED, maximumIpTotalLength) \
	E(27, ADDRESS6, sourceIPv6Address) E(28, ADDRESS6, destinationIPv6Address) \
	E(29, UNSIGNED, sourceIPv6PrefixLength) E(30, UNSIGNED, destinationIPv6PrefixLength) \
	E(31, UNSIGNED, flowLabelIPv6) E(32, UNSIGNED, icmpTypeCodeIPv4) E(33, UNSIGNED, igmpType) \
	E(34, UNSIGNED, samplingInterval) E(35, UNSIGNED, samplingAlgorithm) E(36, UNSIGNED, flowActiveTimeout) \
	E(37, UNSIGNED, flowIdleTimeout) E(38, UNSIGNED, engineType) E(39, UNSIGNED, engineId) \
	E(40, UNSIGNED, exportedOctetTotalCount) E(41, UNSIGNED, exportedMessageTotalCount) \
	E(42, UNSIGNED, exportedFlowRecordTotalCount) E(43, ADDRESS4, ipv4RouterSc) \
	E(44, ADDRESS4, sourceIPv4Prefix) E(45, ADDRESS4, destinationIPv4Prefix) E(46, UNSIGNED, mplsTopLabelType) \
	E(47, ADDRESS4, mplsTopLabelIPv4Address) E(48, UNSIGNED, samplerId) E(49, UNSIGNED, samplerMode) \
	E(50, UNSIGNED, samplerRandomInterval) E(51, UNSIGNED, classId) E(52, UNSIGNED, minimumTTL) \
	E(53, UNSIGNED, maximumTTL) E(54, UNSIGNED, fragmentIdentification) E(55, UNSIGNED, postIpClassOfService) \
	E(56, MAC, sourceMacAddress) E(57, MAC, postDestinationMacAddress) E(58, UNSIGNED, vlanId) \
	E(59, UNSIGNED, postVlanId) E(60, UNSIGNED, ipVersion) E(61, UNSIGNED, flowDirection) \
	E(62, ADDRESS6, ipNextHopIPv6Address) E(63, ADDRESS6, bgpNextHopIPv6Address) \
	E(64, UNSIGNED, ipv6ExtensionHeaders) E(70, MPLS_LABEL, mplsTopLabelStackSection) \
	E(71, MPLS_LABEL, mplsLabelStackSection2) E(72, MPLS_LABEL, mplsLabelStackSection3) \
	E(73, MPLS_LABEL, mplsLabelStackSection4) E(74, MPLS_LABEL, mplsLabelStackSection5) \
	E(75, MPLS_LABEL, mplsLabelStackSection6) E(76, MPLS_LABEL, mplsLabelStackSection7) \
	E(77, MPLS_LABEL, mplsLabelStackSection8) E(78, MPLS_LABEL, mplsLabelStackSection9) \
	E(79, MPLS_LABEL, mplsLabelStackSection10) E(80, MAC, destinationMacAddress) \
	E(81, MAC, postSourceMacAddress) E(82, TEXT, interfaceName) E(83, TEXT, interfaceDescription) \
	E(84, TEXT, samplerName) E(85, UNSIGNED, octetTotalCount) E(86, UNSIGNED, packetTotalCount) \
	E(87, UNSIGNED, flagsAndSamplerId) E(88, UNSIGNED, fragmentOffset) E(89, UNSIGNED, forwardingStatus) \
	E(90, BYTES, mplsVpnRouteDistinguisher) E(91, UNSIGNED, mplsTopLabelPrefixLength) \
	E(92, UNSIGNED, srcTrafficIndex) E(93, UNSIGNED, dstTrafficIndex) E(94, TEXT, applicationDescription) \
	E(95, BYTES, applicationId) E(96, TEXT, applicationName) E(98, UNSIGNED, postIpDiffServCodePoint) \
	E(99, UNSIGNED, multicastReplicationFactor) E(100, TEXT, className) \
	E(101, UNSIGNED, classificationEngineId) E(102, UNSIGNED, layer2packetSectionOffset) \
	E(103, UNSIGNED, layer2packetSectionSize) E(104, BYTES, layer2packetSectionData) \
	E(128, UNSIGNED, bgpNextAdjacentAsNumber) E(129, UNSIGNED, bgpPrevAdjacentAsNumber) \
	E(130, ADDRESS4, exporterIPv4Address) E(131, ADDRESS6, exporterIPv6Address) \
	E(132, UNSIGNED, droppedOctetDeltaCount) E(133, UNSIGNED, droppedPacketDeltaCount) \
	E(134, UNSIGNED, droppedOctetTotalCount) E(135, UNSIGNED, droppedPacketTotalCount) \
	E(136, UNSIGNED, flowEndReason) E(137, UNSIGNED, commonPropertiesId) E(138, UNSIGNED, observationPointId) \
	E(139, UNSIGNED, icmpTypeCodeIPv6) E(140, ADDRESS6, mplsTopLabelIPv6Address) E(141, UNSIGNED, lineCardId) \
	E(142, UNSIGNED, portId) E(143, UNSIGNED, meteringProcessId) E(144, UNSIGNED, exportingProcessId) \
	E(145, UNSIGNED, templateId) E(146, UNSIGNED, wlanChannelId) E(147, TEXT, wlanSSID) \
	E(148, UNSIGNED, flowId) E(149, UNSIGNED, observationDomainId) E(150, SECONDS, flowStartSeconds) \
	E(151, SECONDS, flowEndSeconds) E(152, MILLISECONDS, flowStartMilliseconds) \
	E(153, MILLISECONDS, flowEndMilliseconds) E(154, MICROSECONDS, flowStartMicroseconds) \
	E(155, MICROSECONDS, flowEndMicroseconds) E(156, NANOSECONDS, flowStartNanoseconds) \
	E(157, NANOSECONDS, flowEndNanoseconds) E(158, DELTA_START, flowStartDeltaMicroseconds) \
	E(159, DELTA_END, flowEndDeltaMicroseconds) E(160, SYSTEM_INIT, systemInitTimeMilliseconds) \
	E(161, UNSIGNED, flowDurationMilliseconds) E(162, UNSIGNED, flowDurationMicroseconds) \
	E(163, UNSIGNED, observedFlowTotalCount) E(164, UNSIGNED, ignoredPacketTotalCount) \
	E(165, UNSIGNED, ignoredOctetTotalCount) E(166, UNSIGNED, notSentFlowTotalCount) \
	E(167, UNSIGNED, notSentPacketTotalCount) E(168, UNSIGNED, notSentOctetTotalCount) \
	E(169, ADDRESS6, destinationIPv6Prefix) E(170, ADDRESS6, sourceIPv6Prefix) \
	E(171, UNSIGNED, postOctetTotalCount) E(172, UNSIGNED, postPacketTotalCount) \
	E(173, UNSIGNED, flowKeyIndicator) E(174, UNSIGNED, postMCastPacketTotalCount) \
	E(175, UNSIGNED, postMCastOctetTotalCount) E(176, UNSIGNED, icmpTypeIPv4) E(177, UNSIGNED, icmpCodeIPv4) \
	E(178, UNSIGNED, icmpTypeIPv6) E(179, UNSIGNED, icmpCodeIPv6) E(180, UNSIGNED, udpSourcePort) \
	E(181, UNSIGNED, udpDestinationPort) E(182, UNSIGNED, tcpSourcePort) E(183, UNSIGNED, tcpDestinationPort) \
	E(184, UNSIGNED, tcpSequenceNumber) E(185, UNSIGNED, tcpAcknowledgementNumber) \
	E(186, UNSIGNED, tcpWindowSize) E(187, UNSIGNED, tcpUrgentPointer) E(188, UNSIGNED, tcpHeaderLength) \
	E(189, UNSIGNED, ipHeaderLength) E(190, UNSIGNED, totalLengthIPv4) E(191, UNSIGNED, payloadLengthIPv6) \
	E(192, UNSIGNED, ipTTL) E(193, UNSIGNED, nextHeaderIPv6) E(194, UNSIGNED, mplsPayloadLength) \
	E(195, UNSIGNED, ipDiffServCodePoint) E(196, UNSIGNED, ipPrecedence) E(197, UNSIGNED, fragmentFlags) \
	E(198, UNSIGNED, octetDeltaSumOfSquares) E(199, UNSIGNED, octetTotalSumOfSquares) \
	E(200, UNSIGNED, mplsTopLabelTTL) E(201, UNSIGNED, mplsLabelStackLength) \
	E(202, UNSIGNED, mplsLabelStackDepth) E(203, UNSIGNED, mplsTopLabelExp) E(204, UNSIGNED, ipPayloadLength) \
	E(205, UNSIGNED, udpMessageLength) E(206, UNSIGNED, isMulticast) E(207, UNSIGNED, ipv4IHL) \
	E(208, UNSIGNED, ipv4Options) E(209, UNSIGNED, tcpOptions) E(210, PADDING, paddingOctets) \
	E(211, ADDRESS4, collectorIPv4Address) E(212, ADDRESS6, collectorIPv6Address) \
	E(213, UNSIGNED, exportInterface) E(214, UNSIGNED, exportProtocolVersion) \
	E(215, UNSIGNED, exportTransportProtocol) E(216, UNSIGNED, collectorTransportPort) \
	E(217, UNSIGNED, exporterTransportPort) E(218, UNSIGNED, tcpSynTotalCount) \
	E(219, UNSIGNED, tcpFinTotalCount) E(220, UNSIGNED, tcpRstTotalCount) E(221, UNSIGNED, tcpPshTotalCount) \
	E(222, UNSIGNED, tcpAckTotalCount) E(223, UNSIGNED, tcpUrgTotalCount) E(224, UNSIGNED, ipTotalLength) \
	E(225, ADDRESS4, postNATSourceIPv4Address) E(226, ADDRESS4, postNATDestinationIPv4Address) \
	E(227, UNSIGNED, postNAPTSourceTransportPort) E(228, UNSIGNED, postNAPTDestinationTransportPort) \
	E(229, UNSIGNED, natOriginatingAddressRealm) E(230, UNSIGNED, natEvent) E(231, UNSIGNED, initiatorOctets) \
	E(232, UNSIGNED, responderOctets) E(233, UNSIGNED, firewallEvent) E(234, UNSIGNED, ingressVRFID) \
	E(235, UNSIGNED, egressVRFID) E(236, TEXT, VRFname) E(237, UNSIGNED, postMplsTopLabelExp) \
	E(238, UNSIGNED, tcpWindowScale) E(239, UNSIGNED, biflowDirection) E(240, UNSIGNED, ethernetHeaderLength) \
	E(241, UNSIGNED, ethernetPayloadLength) E(242, UNSIGNED, ethernetTotalLength) \
	E(243, UNSIGNED, dot1qVlanId) E(244, UNSIGNED, dot1qPriority) E(245, UNSIGNED, dot1qCustomerVlanId) \
	E(246, UNSIGNED, dot1qCustomerPriority) E(247, TEXT, metroEvcId) E(248, UNSIGNED, metroEvcType) \
	E(249, UNSIGNED, pseudoWireId) E(250, UNSIGNED, pseudoWireType) E(251, UNSIGNED, pseudoWireControlWord) \
	E(252, UNSIGNED, ingressPhysicalInterface) E(253, UNSIGNED, egressPhysicalInterface) \
	E(254, UNSIGNED, postDot1qVlanId) E(255, UNSIGNED, postDot1qCustomerVlanId) E(256, UNSIGNED, ethernetType) \
	E(257, UNSIGNED, postIpPrecedence) E(258, MILLISECONDS, collectionTimeMilliseconds) \
	E(259, UNSIGNED, exportSctpStreamId) E(260, SECONDS, maxExportSeconds) E(261, SECONDS, maxFlowEndSeconds) \
	E(262, BYTES, messageMD5Checksum) E(263, UNSIGNED, messageScope) E(264, SECONDS, minExportSeconds) \
	E(265, SECONDS, minFlowStartSeconds) E(266, BYTES, opaqueOctets) E(267, UNSIGNED, sessionScope) \
	E(268, MICROSECONDS, maxFlowEndMicroseconds) E(269, MILLISECONDS, maxFlowEndMilliseconds) \
	E(270, NANOSECONDS, maxFlowEndNanoseconds) E(271, MICROSECONDS, minFlowStartMicroseconds) \
	E(272, MILLISECONDS, minFlowStartMilliseconds) E(273, NANOSECONDS, minFlowStartNanoseconds) \
	E(274, BYTES, collectorCertificate) E(275, BYTES, exporterCertificate) \
	E(276, BOOL, dataRecordsReliability) E(277, UNSIGNED, observationPointType) \
	E(278, UNSIGNED, newConnectionDeltaCount) E(279, UNSIGNED, connectionSumDurationSeconds) \
	E(280, UNSIGNED, connectionTransactionId) E(281, ADDRESS6, postNATSourceIPv6Address) \
	E(282, ADDRESS6, postNATDestinationIPv6Address) E(283, UNSIGNED, natPoolId) E(284, TEXT, natPoolName) \
	E(285, UNSIGNED, anonymizationFlags) E(286, UNSIGNED, anonymizationTechnique) \
	E(287, UNSIGNED, informationElementIndex) E(288, TEXT, p2pTechnology) E(289, TEXT, tunnelTechnology) \
	E(290, TEXT, encryptedTechnology) E(291, LIST, basicList) E(292, SUB_LIST, subTemplateList) \
	E(293, SUB_LISTS, subTemplateMultiList) E(294, UNSIGNED, bgpValidityState) E(295, UNSIGNED, IPSecSPI) \
	E(296, UNSIGNED, greKey) E(297, UNSIGNED, natType) E(298, UNSIGNED, initiatorPackets) \
	E(299, UNSIGNED, responderPackets) E(300, TEXT, observationDomainName) \
	E(301, UNSIGNED, selectionSequenceId) E(302, UNSIGNED, selectorId) E(303, UNSIGNED, informationElementId) \
	E(304, UNSIGNED, selectorAlgorithm) E(305, UNSIGNED, samplingPacketInterval) \
	E(306, UNSIGNED, samplingPacketSpace) E(307, UNSIGNED, samplingTimeInterval) \
	E(308, UNSIGNED, samplingTimeSpace) E(309, UNSIGNED, samplingSize) E(310, UNSIGNED, samplingPopulation) \
	E(311, REAL, samplingProbability) E(312, UNSIGNED, dataLinkFrameSize) E(313, BYTES, ipHeaderPacketSection) \
	E(314, BYTES, ipPayloadPacketSection) E(315, BYTES, dataLinkFrameSection) \
	E(316, BYTES, mplsLabelStackSection) E(317, BYTES, mplsPayloadPacketSection) \
	E(318, UNSIGNED, selectorIdTotalPktsObserved) E(319, UNSIGNED, selectorIdTotalPktsSelected) \
	E(320, REAL, absoluteError) E(321, REAL, relativeError) E(322, SECONDS, observationTimeSeconds) \
	E(323, MILLISECONDS, observationTimeMilliseconds) E(324, MICROSECONDS, observationTimeMicroseconds) \
	E(325, NANOSECONDS, observationTimeNanoseconds) E(326, UNSIGNED, digestHashValue) \
	E(327, UNSIGNED, hashIPPayloadOffset) E(328, UNSIGNED, hashIPPayloadSize) \
	E(329, UNSIGNED, hashOutputRangeMin) E(330, UNSIGNED, hashOutputRangeMax) \
	E(331, UNSIGNED, hashSelectedRangeMin) E(332, UNSIGNED, hashSelectedRangeMax) \
	E(333, BOOL, hashDigestOutput) E(334, UNSIGNED, hashInitialiserValue) E(335, TEXT, selectorName) \
	E(336, REAL, upperCILimit) E(337, REAL, lowerCILimit) E(338, REAL, confidenceLevel) \
	E(339, UNSIGNED, informationElementDataType) E(340, TEXT, informationElementDescription) \
	E(341, TEXT, informationElementName) E(342, UNSIGNED, informationElementRangeBegin) \
	E(343, UNSIGNED, informationElementRangeEnd) E(344, UNSIGNED, informationElementSemantics) \
	E(345, UNSIGNED, informationElementUnits) E(346, UNSIGNED, privateEnterpriseNumber) \
	E(347, BYTES, virtualStationInterfaceId) E(348, TEXT, virtualStationInterfaceName) \
	E(349, BYTES, virtualStationUUID) E(350, TEXT, virtualStationName) E(351, UNSIGNED, layer2SegmentId) \
	E(352, UNSIGNED, layer2OctetDeltaCount) E(353, UNSIGNED, layer2OctetTotalCount) \
	E(354, UNSIGNED, ingressUnicastPacketTotalCount) E(355, UNSIGNED, ingressMulticastPacketTotalCount) \
	E(356, UNSIGNED, ingressBroadcastPacketTotalCount) E(357, UNSIGNED, egressUnicastPacketTotalCount) \
	E(358, UNSIGNED, egressBroadcastPacketTotalCount) \
	E(359, MILLISECONDS, monitoringIntervalStartMilliSeconds) \
	E(360, MILLISECONDS, monitoringIntervalEndMilliSeconds) E(361, UNSIGNED, portRangeStart) \
	E(362, UNSIGNED, portRangeEnd) E(363, UNSIGNED, portRangeStepSize) E(364, UNSIGNED, portRangeNumPorts) \
	E(365, MAC, staMacAddress) E(366, ADDRESS4, staIPv4Address) E(367, MAC, wtpMacAddress) \
	E(368, UNSIGNED, ingressInterfaceType) E(369, UNSIGNED, egressInterfaceType) \
	E(370, UNSIGNED, rtpSequenceNumber) E(371, TEXT, userName) E(372, TEXT, applicationCategoryName) \
	E(373, TEXT, applicationSubCategoryName) E(374, TEXT, applicationGroupName) \
	E(375, UNSIGNED, originalFlowsPresent) E(376, UNSIGNED, originalFlowsInitiated) \
	E(377, UNSIGNED, originalFlowsCompleted) E(378, UNSIGNED, distinctCountOfSourceIPAddress) \
	E(379, UNSIGNED, distinctCountOfDestinationIPAddress) E(380, UNSIGNED, distinctCountOfSourceIPv4Address) \
	E(381, UNSIGNED, distinctCountOfDestinationIPv4Address) E(382, UNSIGNED, distinctCountOfSourceIPv6Address) \
	E(383, UNSIGNED, distinctCountOfDestinationIPv6Address) E(384, UNSIGNED, valueDistributionMethod) \
	E(385, UNSIGNED, rfc3550JitterMilliseconds) E(386, UNSIGNED, rfc3550JitterMicroseconds) \
	E(387, UNSIGNED, rfc3550JitterNanoseconds) E(388, BOOL, dot1qDEI) E(389, BOOL, dot1qCustomerDEI) \
	E(390, UNSIGNED, flowSelectorAlgorithm) E(391, UNSIGNED, flowSelectedOctetDeltaCount) \
	E(392, UNSIGNED, flowSelectedPacketDeltaCount) E(393, UNSIGNED, flowSelectedFlowDeltaCount) \
	E(394, UNSIGNED, selectorIDTotalFlowsObserved) E(395, UNSIGNED, selectorIDTotalFlowsSelected) \
	E(396, UNSIGNED, samplingFlowInterval) E(397, UNSIGNED, samplingFlowSpacing) \
	E(398, UNSIGNED, flowSamplingTimeInterval) E(399, UNSIGNED, flowSamplingTimeSpacing) \
	E(400, UNSIGNED, hashFlowDomain) E(401, UNSIGNED, transportOctetDeltaCount) \
	E(402, UNSIGNED, transportPacketDeltaCount) E(403, ADDRESS4, originalExporterIPv4Address) \
	E(404, ADDRESS6, originalExporterIPv6Address) E(405, UNSIGNED, originalObservationDomainId) \
	E(406, UNSIGNED, intermediateProcessId) E(407, UNSIGNED, ignoredDataRecordTotalCount) \
	E(408, UNSIGNED, dataLinkFrameType) E(409, UNSIGNED, sectionOffset) \
	E(410, UNSIGNED, sectionExportedOctets) E(411, BYTES, dot1qServiceInstanceTag) \
	E(412, UNSIGNED, dot1qServiceInstanceId) E(413, UNSIGNED, dot1qServiceInstancePriority) \
	E(414, MAC, dot1qCustomerSourceMacAddress) E(415, MAC, dot1qCustomerDestinationMacAddress) \
	E(417, UNSIGNED, postLayer2OctetDeltaCount) E(418, UNSIGNED, postMCastLayer2OctetDeltaCount) \
	E(420, UNSIGNED, postLayer2OctetTotalCount) E(421, UNSIGNED, postMCastLayer2OctetTotalCount) \
	E(422, UNSIGNED, minimumLayer2TotalLength) E(423, UNSIGNED, maximumLayer2TotalLength) \
	E(424, UNSIGNED, droppedLayer2OctetDeltaCount) E(425, UNSIGNED, droppedLayer2OctetTotalCount) \
	E(426, UNSIGNED, ignoredLayer2OctetTotalCount) E(427, UNSIGNED, notSentLayer2OctetTotalCount) \
	E(428, UNSIGNED, layer2OctetDeltaSumOfSquares) E(429, UNSIGNED, layer2OctetTotalSumOfSquares) \
	E(430, UNSIGNED, layer2FrameDeltaCount) E(431, UNSIGNED, layer2FrameTotalCount) \
	E(432, ADDRESS4, pseudoWireDestinationIPv4Address) E(433, UNSIGNED, ignoredLayer2FrameTotalCount) \
	E(434, SIGNED, mibObjectValueInteger) E(435, BYTES, mibObjectValueOctetString) \
	E(436, BYTES, mibObjectValueOID) E(437, BYTES, mibObjectValueBits) \
	E(438, ADDRESS4, mibObjectValueIPAddress) E(439, UNSIGNED, mibObjectValueCounter) \
	E(440, UNSIGNED, mibObjectValueGauge) E(441, UNSIGNED, mibObjectValueTimeTicks) \
	E(442, UNSIGNED, mibObjectValueUnsigned) E(443, SUB_LIST, mibObjectValueTable) \
	E(444, SUB_LIST, mibObjectValueRow) E(445, BYTES, mibObjectIdentifier) E(446, UNSIGNED, mibSubIdentifier) \
	E(447, UNSIGNED, mibIndexIndicator) E(448, UNSIGNED, mibCaptureTimeSemantics) \
	E(449, BYTES, mibContextEngineID) E(450, TEXT, mibContextName) E(451, TEXT, mibObjectName) \
	E(452, TEXT, mibObjectDescription) E(453, TEXT, mibObjectSyntax) E(454, TEXT, mibModuleName) \
	E(455, TEXT, mobileIMSI) E(456, TEXT, mobileMSISDN) E(457, UNSIGNED, httpStatusCode) \
	E(458, UNSIGNED, sourceTransportPortsLimit) E(459, TEXT, httpRequestMethod) E(460, TEXT, httpRequestHost) \
	E(461, TEXT, httpRequestTarget) E(462, TEXT, httpMessageVersion) E(463, UNSIGNED, natInstanceID) \
	E(464, BYTES, internalAddressRealm) E(465, BYTES, externalAddressRealm) \
	E(466, UNSIGNED, natQuotaExceededEvent) E(467, UNSIGNED, natThresholdEvent) E(468, TEXT, httpUserAgent) \
	E(469, TEXT, httpContentType) E(470, TEXT, httpReasonPhrase) E(471, UNSIGNED, maxSessionEntries) \
	E(472, UNSIGNED, maxBIBEntries) E(473, UNSIGNED, maxEntriesPerUser) E(474, UNSIGNED, maxSubscribers) \
	E(475, UNSIGNED, maxFragmentsPendingReassembly) E(476, UNSIGNED, addressPoolHighThreshold) \
	E(477, UNSIGNED, addressPoolLowThreshold) E(478, UNSIGNED, addressPortMappingHighThreshold) \
	E(479, UNSIGNED, addressPortMappingLowThreshold) E(480, UNSIGNED, addressPortMappingPerUserHighThreshold) \
	E(481, UNSIGNED, globalAddressMappingHighThreshold) E(482, BYTES, vpnIdentifier) \
	E(483, UNSIGNED, bgpCommunity) E(484, LIST, bgpSourceCommunityList) \
	E(485, LIST, bgpDestinationCommunityList) E(486, BYTES, bgpExtendedCommunity) \
	E(487, LIST, bgpSourceExtendedCommunityList) E(488, LIST, bgpDestinationExtendedCommunityList) \
	E(489, BYTES, bgpLargeCommunity) E(490, LIST, bgpSourceLargeCommunityList) \
	E(491, LIST, bgpDestinationLargeCommunityList) E(492, UNSIGNED, srhFlagsIPv6) E(493, UNSIGNED, srhTagIPv6) \
	E(494, ADDRESS6, srhSegmentIPv6) E(495, ADDRESS6, srhActiveSegmentIPv6) \
	E(496, LIST, srhSegmentIPv6BasicList) E(497, BYTES, srhSegmentIPv6ListSection) \
	E(498, UNSIGNED, srhSegmentsIPv6Left) E(499, BYTES, srhIPv6Section) \
	E(500, UNSIGNED, srhIPv6ActiveSegmentType) E(501, UNSIGNED, srhSegmentIPv6LocatorLength) \
	E(502, UNSIGNED, srhSegmentIPv6EndpointBehavior) E(503, UNSIGNED, transportChecksum) \
	E(504, BYTES, icmpHeaderPacketSection) E(505, UNSIGNED, gtpuFlags) E(506, UNSIGNED, gtpuMsgType) \
	E(507, UNSIGNED, gtpuTEid) E(508, UNSIGNED, gtpuSequenceNum) E(509, UNSIGNED, gtpuQFI) \
	E(510, UNSIGNED, gtpuPduType) E(511, LIST, bgpSourceAsPathList) E(512, LIST, bgpDestinationAsPathList) \
	E(513, UNSIGNED, ipv6ExtensionHeaderType) E(514, UNSIGNED, ipv6ExtensionHeaderCount) \
	E(515, UNSIGNED, ipv6ExtensionHeadersFull) E(516, BYTES, ipv6ExtensionHeaderTypeCountList) \
	E(517, BOOL, ipv6ExtensionHeadersLimit) E(518, UNSIGNED, ipv6ExtensionHeadersChainLength) \
	E(519, BYTES, ipv6ExtensionHeaderChainLengthList) E(520, UNSIGNED, tcpOptionsFull) \
	E(521, UNSIGNED, tcpSharedOptionExID16) E(522, UNSIGNED, tcpSharedOptionExID32) \
	E(523, LIST, tcpSharedOptionExID16List) E(524, LIST, tcpSharedOptionExID32List) \
	E(525, UNSIGNED, udpSafeOptions) E(526, UNSIGNED, udpUnsafeOptions) E(527, UNSIGNED, udpExID) \
	E(528, LIST, udpSafeExIDList) E(529, LIST, udpUnsafeExIDList)
/* clang-format on */

#define ELEMENT_ROW(number, kind_, name_) [number] = {#name_, sizeof #name_ - 1, ELEMENT_##kind_},
const struct element_name element_names[ELEMENTS_END] = {ELEMENTS(ELEMENT_ROW)};

/* Of v9's options (RFC 3954 6.1), by number. */
static const struct element_name scope_names[] = {
	[1] = {"system", 6, ELEMENT_UNSIGNED}, [2] = {"interface", 9, ELEMENT_UNSIGNED}, [3] = {"lineCard", 8, ELEMENT_UNSIGNED},
	[4] = {"cache", 5, ELEMENT_UNSIGNED},  [5] = {"template", 8, ELEMENT_UNSIGNED},
};

/* NULL for an element that nobody here knows. */
static const struct element_name *find(uint8_t version, bool scope, const struct template_field *field)
{
	const struct element_name *names = element_names;
	uint32_t end = ELEMENTS_END;

	if (version == 9 && scope) {
		names = scope_names;
		end = sizeof scope_names / sizeof *scope_names;
	} else if (field->enterprise != 0 && field->enterprise != ELEMENT_REVERSE_ENTERPRISE) {
		return NULL;
	}
	return field->id < end && names[field->id].name ? &names[field->id] : NULL;
}

uint8_t element_kind(uint8_t version, bool scope, const struct template_field *field)
{
	const struct element_name *found = find(version, scope, field);
	uint8_t kind = found ? found->kind : field->length <= 8 ? ELEMENT_UNSIGNED : ELEMENT_BYTES;

	if (field->enterprise == 0)
		return kind;
	/* Times of the way back are no times of the flow. */
	return kind == ELEMENT_SYSTEM_INIT ? ELEMENT_MILLISECONDS : kind >= ELEMENT_UPTIME_START ? ELEMENT_UNSIGNED : kind;
}

uint32_t element_name_write(uint8_t version, bool scope, const struct template_field *field, char *out)
{
	const struct element_name *found = find(version, scope, field);
	uint32_t length = 0;

	if (!found) {
		memcpy(out, "ie_", 3);
		length = 3 + number_write(field->enterprise, out + 3);
		out[length++] = '_';
		length += number_write(field->id, out + length);
	} else {
		if (field->enterprise == ELEMENT_REVERSE_ENTERPRISE) {
			memcpy(out, "reverse", 7);
			length = 7;
		}
		memcpy(out + length, found->name, found->length);
		if (length && out[length] >= 'a' && out[length] <= 'z')
			out[length] = (char)(out[length] - 'a' + 'A');
		length += found->length;
	}
	if (field->occurrence > 1) {
		out[length++] = '_';
		length += number_write(field->occurrence, out + length);
	}
	return length;
}
