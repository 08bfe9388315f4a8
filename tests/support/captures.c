#include "tests/support/captures.h"

#include <dirent.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

static bool each_of_file(const char *path, void (*take)(int link, const uint8_t *bytes, uint32_t length))
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline(path, error);
	struct pcap_pkthdr *header;
	const uint8_t *bytes;

	if (!file)
		return false; /* formats that libpcap does not read are among them on purpose */
	while (pcap_next_ex(file, &header, &bytes) == 1)
		take(pcap_datalink(file), bytes, header->caplen);
	pcap_close(file);
	return true;
}

bool captures_each(void (*take)(int link, const uint8_t *bytes, uint32_t length))
{
	const char *directory = getenv("PENSTOCK_CAPTURES");
	uint32_t files = 0, opened = 0;
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	directory = directory ? directory : "../shared/captures/tcpdump";
	dir = opendir(directory);
	if (!dir) {
		printf("# no captures at %s\n", directory);
		return false;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) < (int)sizeof path) {
			files++;
			opened += each_of_file(path, take);
		}
	closedir(dir);
	if (opened * 2 <= files) {
		fprintf(stderr, "of %u captures at %s only %u are readable\n", files, directory, opened);
		exit(1);
	}
	return true;
}
